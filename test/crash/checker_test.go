package crash

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/mainstemio/mainstem/examples/payments"
	"github.com/mainstemio/mainstem/examples/payments/generate"
)

// The checks must find what they are for.

func dated(id int64, date string) payment {
	return payment{id: id, customer: 1, amount: "1", date: date}
}

// explain feeds arrivals by partition and then the lists of ids that they are said to have made.
func explain(arrivals [][]payment, made ...[]int64) error {
	l := newLists()
	byID := map[int64]payment{}
	for partition, all := range arrivals {
		for _, p := range all {
			l.arrived(int32(partition), p)
			byID[p.id] = p
		}
	}
	key := binary.BigEndian.AppendUint64(nil, 1)
	for _, ids := range made {
		var items []string
		for _, id := range ids {
			items = append(items, fmt.Sprintf(`{"trxId":%d,"trxAmount":1.0,"customerId":1,"trxDate":%q}`, id, byID[id].date))
		}
		value := `{"customerId":1,"payments":[` + strings.Join(items, ",") + `]}`
		if err := l.list(&kgo.Record{Key: key, Value: []byte(value)}); err != nil {
			return err
		}
	}
	_, err := l.finish()
	return err
}

func TestListsAreExplainedByAnOrderOfArrival(t *testing.T) {
	a, b, c := dated(1, "1"), dated(2, "2"), dated(3, "2")
	for _, ok := range []struct {
		arrivals [][]payment
		made     [][]int64
	}{
		{[][]payment{{a, b}}, [][]int64{{1}, {2, 1}}},
		{[][]payment{{b, a}}, [][]int64{{2}, {2, 1}}},
		{[][]payment{{a}, {b}}, [][]int64{{2}, {2, 1}}},
		{[][]payment{{b, c}}, [][]int64{{2}, {2, 3}}},
		{
			[][]payment{{dated(11, "6"), dated(12, "5"), dated(13, "4"), dated(14, "3"), dated(15, "2"), a, dated(16, "7")}},
			[][]int64{{11}, {11, 12}, {11, 12, 13}, {11, 12, 13, 14}, {11, 12, 13, 14, 15}, {16, 11, 12, 13, 14}},
		},
	} {
		if err := explain(ok.arrivals, ok.made...); err != nil {
			t.Errorf("%v: %v", ok, err)
		}
	}
	for name, bad := range map[string]struct {
		arrivals [][]payment
		made     [][]int64
	}{
		"a payment was left out":        {[][]payment{{a, b}}, [][]int64{{2}}},
		"the last one was left out":     {[][]payment{{a, b}}, [][]int64{{1}}},
		"nothing was made":              {[][]payment{{a}}, nil},
		"a partition's order":           {[][]payment{{a, b}}, [][]int64{{2}, {2, 1}}},
		"two at once":                   {[][]payment{{a, b}}, [][]int64{{2, 1}}},
		"the same list twice":           {[][]payment{{a, b}}, [][]int64{{1}, {1}, {2, 1}}},
		"not newest first":              {[][]payment{{a, b}}, [][]int64{{1}, {1, 2}}},
		"of equal dates the later":      {[][]payment{{b, c}}, [][]int64{{2}, {3, 2}}},
		"one that nobody published":     {[][]payment{{a}}, [][]int64{{1}, {9, 1}}},
		"state was lost":                {[][]payment{{a, b}}, [][]int64{{1}, {2}}},
		"a payment was taken for twice": {[][]payment{{a, b}}, [][]int64{{1}, {2, 1}, {2, 2, 1}}},
	} {
		if explain(bad.arrivals, bad.made...) == nil {
			t.Errorf("not found: %s", name)
		}
	}
}

func TestBooksFindLossesAndRepetitions(t *testing.T) {
	src, err := generate.New(generate.Config{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	s := &service{source: src, event: src.CardEvent, baseID: src.Card(0).TrxID}
	s.mu.sent = []sent{{acknowledged, 0, 0}, {acknowledged, 0, 1}, {state: unknown}}
	at := func(i, offset int64) *kgo.Record {
		e, err := s.event(nil, i)
		if err != nil {
			t.Fatal(err)
		}
		return &kgo.Record{Topic: payments.CardTopic, Key: []byte(e.Key), Value: e.Value, Offset: offset}
	}
	judge := func(ids []int64, rs ...*kgo.Record) error {
		b := openBooks([]*service{s})
		for k, r := range rs {
			b.found(s.baseID+ids[k], r)
		}
		_, err := b.close()
		return err
	}
	for _, ok := range [][]*kgo.Record{{at(0, 0), at(1, 1)}, {at(0, 0), at(1, 1), at(2, 2)}} {
		if err := judge([]int64{0, 1, 2}, ok...); err != nil {
			t.Error(err)
		}
	}
	changed := at(1, 1)
	changed.Value = slices.Replace(slices.Clone(changed.Value), 10, 11, '9'^changed.Value[10])
	for name, bad := range map[string]struct {
		ids []int64
		rs  []*kgo.Record
	}{
		"acknowledged and lost":      {[]int64{0}, []*kgo.Record{at(0, 0)}},
		"twice":                      {[]int64{0, 1, 1}, []*kgo.Record{at(0, 0), at(1, 1), at(1, 2)}},
		"unacknowledged, twice":      {[]int64{0, 1, 2, 2}, []*kgo.Record{at(0, 0), at(1, 1), at(2, 2), at(2, 3)}},
		"at another offset":          {[]int64{0, 1}, []*kgo.Record{at(0, 0), at(1, 2)}},
		"not what was published":     {[]int64{0, 1}, []*kgo.Record{at(0, 0), changed}},
		"never published":            {[]int64{0, 1, 3}, []*kgo.Record{at(0, 0), at(1, 1), at(3, 2)}},
		"acknowledged for the other": {[]int64{0, 1}, []*kgo.Record{at(1, 0), at(0, 1)}},
	} {
		if judge(bad.ids, bad.rs...) == nil {
			t.Errorf("not found: %s", name)
		}
	}
}
