package compat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mainstemio/mainstem/internal/need"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestErrorsAreThoseOfKafka sends requests that must fail, or only just succeed, to the node and to an Apache Kafka, and compares
// the error codes of the answers, wherever in them they stand.
func TestErrorsAreThoseOfKafka(t *testing.T) {
	original := need.Env(t, "MAINSTEM_KAFKA", "host:port of an Apache Kafka to compare with")
	ours, theirs := newAsker(t, broker(t)), newAsker(t, original)
	prefix := unique(t)
	for _, a := range []*asker{ours, theirs} {
		a.prepare(t, prefix)
	}
	for _, c := range errorCases(prefix) {
		t.Run(c.name, func(t *testing.T) {
			want, got := theirs.codes(t, c), ours.codes(t, c)
			if !slices.Equal(got, want) {
				t.Errorf("%s v%d\n  Kafka    %s\n  Mainstem %s", kmsg.NameForKey(c.request.Key()), c.request.GetVersion(), strings.Join(want, " "), strings.Join(got, " "))
			}
		})
	}
}

// An asker sends raw requests to one node.
type asker struct {
	address string
	conn    net.Conn
	next    int32
}

func newAsker(t *testing.T, address string) *asker {
	t.Helper()
	a := &asker{address: address}
	t.Cleanup(func() { _ = a.conn.Close() })
	a.dial(t)
	return a
}

func (a *asker) dial(t *testing.T) {
	t.Helper()
	if a.conn != nil {
		_ = a.conn.Close() // the node did so already
	}
	conn, err := net.Dial("tcp", a.address)
	if err != nil {
		t.Fatal(err)
	}
	a.conn = conn
}

// ask sends req as it is and decodes the answer.
func (a *asker) ask(req kmsg.Request) (kmsg.Response, error) {
	if err := a.conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		return nil, err
	}
	a.next++
	if _, err := a.conn.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("answers")).AppendRequest(nil, req, a.next)); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(a.conn, head[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(a.conn, frame); err != nil {
		return nil, err
	}
	resp := req.ResponseKind()
	body := frame[4:]
	if resp.IsFlexible() {
		body = body[1:] // no header tags
	}
	return resp, resp.ReadFrom(body)
}

// prepare makes a topic with two partitions and three records in the first, a compacted one, and the group coordinator's topic.
func (a *asker) prepare(t *testing.T, name string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(a.address), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	compact := "compact"
	for topic, configs := range map[string]map[string]*string{name: nil, name + "-compact": {"cleanup.policy": &compact}} {
		if _, err := adm.CreateTopic(t.Context(), 2, 1, configs, topic); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: name, Value: []byte("v")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for range 600 { // a new Apache Kafka makes the coordinators' topics first
		if _, err = adm.FetchOffsets(t.Context(), name); err == nil {
			_, err = adm.DescribeTransactions(t.Context(), name)
		}
		if err == nil {
			var ends kadm.ListedOffsets
			ends, err = adm.ListEndOffsets(t.Context(), name, name+"-compact")
			err = errors.Join(err, ends.Error()) // not led yet
		}
		if err == nil {
			return
		}
		<-again.C
	}
	t.Fatal(err)
}

// codes sends a case's request and lists the error codes of the answer with their places. A coordinator that is not there yet is asked again:
// those of other groups and ids may take longer to load than the one that prepare has waited for.
func (a *asker) codes(t *testing.T, c errorCase) []string {
	t.Helper()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for tries := 0; ; tries++ {
		resp, err := a.ask(c.request)
		if err != nil {
			a.dial(t)
			return []string{"no answer"}
		}
		var out []string
		collectCodes(reflect.ValueOf(resp).Elem(), "", &out)
		if tries == 300 || !slices.ContainsFunc(out, passes) {
			return out
		}
		<-again.C
	}
}

// passes tells whether a code, behind its place, says to ask again because of what the node does meanwhile.
func passes(code string) bool {
	for _, err := range []*kerr.Error{kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.ConcurrentTransactions} {
		if strings.HasSuffix(code, err.Message) {
			return true
		}
	}
	return false
}

// collectCodes walks an answer. Elements of arrays are called by what they name, and sorted: Apache Kafka answers in any order.
func collectCodes(v reflect.Value, path string, out *[]string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			switch {
			case f.Name == "ErrorCode":
				*out = append(*out, path+codeName(int16(v.Field(i).Int())))
			case f.IsExported():
				collectCodes(v.Field(i), path, out)
			}
		}
	case reflect.Slice:
		var all []string
		for i := range v.Len() {
			collectCodes(v.Index(i), path+elementName(v.Index(i)), &all)
		}
		slices.Sort(all)
		*out = append(*out, all...)
	}
}

func codeName(code int16) string {
	if err := kerr.ErrorForCode(code); err != nil {
		return strings.SplitN(err.Error(), ":", 2)[0]
	}
	return "ok"
}

// elementName is the name or number by which the request asked for an element.
func elementName(v reflect.Value) string {
	if v.Kind() != reflect.Struct {
		return ""
	}
	for _, name := range []string{"Topic", "Partition", "Name", "ResourceName", "Group", "TransactionalID", "Feature", "MemberID"} {
		f := v.FieldByName(name)
		if f.IsValid() && f.Kind() == reflect.Pointer && !f.IsNil() {
			f = f.Elem()
		}
		if f.IsValid() && f.Kind() != reflect.Pointer {
			return fmt.Sprint(f.Interface()) + ":"
		}
	}
	return ""
}
