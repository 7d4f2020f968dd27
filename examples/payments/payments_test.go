package payments_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/examples/payments"
)

const card = `{"trxId":1535331234567,"trxAmount":250000.50,"cardNo":"4556737586899855","cardHolder":"Fowler","expiryDate":"2029-08-01",` +
	`"issuer":"DUKE BANK","customerId":1,"trxDate":"2026-08-01T10:15:30.125"}`

const transfer = `{"trxId":9007199254740993,"trxAmount":120000,"accountNo":"1234567890","accountName":"Farah","bankName":"ATOZ BANK",` +
	`"referenceNo":"0987654321","currency":"IDR","customerId":2,"trxDate":"2026-08-01T10:15:31.000"}`

func decodeCard(t *testing.T, text string) payments.CardPayment {
	t.Helper()
	c, err := payments.CardJSON.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestACardPaymentBecomesACommonOne(t *testing.T) {
	got, err := payments.PaymentJSON.Append(nil, decodeCard(t, card).Common())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"trxId":1535331234567,"trxAmount":250000.50,"customerId":1,"trxDate":"2026-08-01T10:15:30.125","paymentType":"CC",` +
		`"accountNo":"455673******9855","accountName":"Fowler","bankName":"DUKE BANK","referenceNo":"","currency":"IDR"}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestABankTransferBecomesACommonOneWithItsReference(t *testing.T) {
	b, err := payments.TransferJSON.Decode([]byte(transfer))
	if err != nil {
		t.Fatal(err)
	}
	got, err := payments.PaymentJSON.Append(nil, b.Common())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"trxId":9007199254740993,"trxAmount":120000,"customerId":2,"trxDate":"2026-08-01T10:15:31.000","paymentType":"BANK_TRF",` +
		`"accountNo":"1234567890","accountName":"Farah","bankName":"ATOZ BANK","referenceNo":"0987654321","currency":"IDR"}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestACardPaymentKeepsTheCurrencyItCarries(t *testing.T) {
	c := decodeCard(t, strings.Replace(card, `"customerId":1`, `"customerId":1,"currency":"AUD","newField":{"a":[1]}`, 1))
	if got := c.Common().Currency; got != "AUD" {
		t.Errorf("currency %s", got)
	}
	c = decodeCard(t, strings.Replace(card, `"customerId":1`, `"customerId":1,"currency":null`, 1))
	if got := c.Common().Currency; got != "IDR" {
		t.Errorf("currency %s", got)
	}
}

func TestMasking(t *testing.T) {
	for number, want := range map[payments.CardNumber]string{
		"4556737586899855":    "455673******9855",
		"378282246310005":     "378282*****0005",
		"6304000000000000000": "630400*********0000",
		"12345678901":         "123456*8901",
		"1234567890":          "**********",
		"1234":                "****",
		"":                    "",
		"4556 7375 8689 9855": strings.Repeat("*", 19),
		"4556-7375-8689-9855": strings.Repeat("*", 19),
		"４５５６７３７５８６":          strings.Repeat("*", 30), // wide digits are no digits here
	} {
		if got := number.Masked(); got != want {
			t.Errorf("%d characters: got %s, want %s", len(number), got, want)
		}
	}
}

func TestAFullCardNumberShowsNowhere(t *testing.T) {
	const number = "4556737586899855"
	c := decodeCard(t, card)
	shown := map[string]string{"common": fmt.Sprintf("%+v", c.Common())}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown["fmt "+verb] = fmt.Sprintf(verb, c.CardNo) + fmt.Sprintf(verb, c) + fmt.Sprintf(verb, &c)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("paid", "card", c.CardNo, "payment", c)
	shown["log"] = log.String()
	for what, spoilt := range map[string]string{
		"no date":       strings.Replace(card, "2026-08-01T", "2026-02-30T", 1),
		"no amount":     strings.Replace(card, "250000.50", `"4556737586899855x"`, 1),
		"no customer":   strings.Replace(card, `"customerId":1,`, "", 1),
		"no id":         strings.Replace(card, "1535331234567", `"4556737586899855"`, 1),
		"broken off":    card[:70],
		"number as int": strings.Replace(card, `"4556737586899855"`, "4556737586899855", 1),
		"text behind":   card + "4556737586899855",
	} {
		_, err := payments.CardJSON.Decode([]byte(spoilt))
		if err == nil {
			t.Errorf("%s: accepted", what)
			continue
		}
		shown["error: "+what] = err.Error()
	}
	for what, text := range shown {
		if strings.Contains(text, number) || strings.Contains(text, fmt.Sprintf("%x", number)) {
			t.Errorf("%s shows the card number", what)
		}
	}
}

func TestKeysThatHoldTheCardNumberAreReplaced(t *testing.T) {
	c := decodeCard(t, card)
	for key, want := range map[string]string{
		"order-17": "order-17", "": "1", "4556737586899855": "1", "card:4556-7375-8689-9855": "1",
		"455673758689985": "455673758689985", "99 4556 7375 8689 9855 0": "1",
	} {
		if got := c.SafeKey(key); got != want {
			t.Errorf("key %q: got %q, want %q", key, got, want)
		}
	}
}

func TestBadPaymentsAreRefusedWithAReason(t *testing.T) {
	for reason, spoil := range map[string][2]string{
		"customerId":                   {`"customerId":1,`, ""},
		"trxId":                        {`"trxId":1535331234567,`, ""},
		"not a decimal number":         {`250000.50`, `"lots"`},
		"a date that does not exist":   {"2026-08-01T10:15:30.125", "2026-02-29T10:15:30.125"},
		"not a date of the form":       {"2026-08-01T10:15:30.125", "2026-08-01T10:15:30.125Z"},
		"decimal number with more":     {"250000.50", "1e9999999"},
		"trxDate":                      {`"2026-08-01T10:15:30.125"`, "null"},
		"json: customerId at byte 155": {`"customerId":1`, `"customerId":1.5`},
	} {
		_, err := payments.CardJSON.Decode([]byte(strings.Replace(card, spoil[0], spoil[1], 1)))
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("want %q, got %v", reason, err)
		}
	}
}

func TestCommonFormsAreThoseOfEncodingJSON(t *testing.T) {
	p := decodeCard(t, card).Common()
	ours, err := payments.PaymentJSON.Append(nil, p)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(theirs), string(ours)); diff != "" {
		t.Error(diff)
	}
	var back payments.Payment
	if err := json.Unmarshal(ours, &back); err != nil || back != p {
		t.Errorf("read back as %+v, %v", back, err)
	}
}

func BenchmarkCardToCommon(b *testing.B) {
	in, out := []byte(card), []byte(nil)
	b.ReportAllocs()
	for b.Loop() {
		c, err := payments.CardJSON.Decode(in)
		if err != nil {
			b.Fatal(err)
		}
		if out, err = payments.PaymentJSON.Append(out[:0], c.Common()); err != nil {
			b.Fatal(err)
		}
	}
}
