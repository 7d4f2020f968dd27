package customer

import (
	"bytes"
	_ "embed" // page.html
	"fmt"
	"html"

	"github.com/mainstemio/mainstem/examples/payments"
)

// The page is written by hand: package html/template finds methods by names that it reads, and a program with it keeps every exported
// method of everything it links, used or not.

//go:embed page.html
var pageHead string

// pageData is what the page shows.
type pageData struct {
	Lists []payments.LastFive
	First bool  // the list begins with the first customer
	Next  int64 // customer to go on from, if More
	More  bool
}

const (
	tableHead = `<div class="wide">
<table>
<thead><tr><th>Date (UTC)</th><th>Type</th><th class="amount">Amount</th><th>Currency</th><th>Account</th><th>Name</th><th>Bank</th><th>Reference</th></tr></thead>
<tbody>
`
	tableTail  = "</tbody>\n</table>\n</div>\n"
	noPayments = "<p>No payments yet. They appear here as soon as PAYMENT-TRX-AGGR has some and the sink has written them.</p>\n"
)

func (d pageData) html() []byte {
	var b bytes.Buffer
	b.WriteString(pageHead)
	if !d.First {
		b.WriteString("<p><a href=\"/\">first customers</a></p>\n")
	}
	for _, list := range d.Lists {
		fmt.Fprintf(&b, "<h2>Customer <a href=\"/customers/%[1]d/payments\">%[1]d</a></h2>\n", list.CustomerID)
		b.WriteString(tableHead)
		for i := range list.Payments {
			writeRow(&b, &list.Payments[i])
		}
		b.WriteString(tableTail)
	}
	if len(d.Lists) == 0 {
		b.WriteString(noPayments)
	}
	if d.More {
		fmt.Fprintf(&b, "<p><a href=\"/?from=%d\">more customers</a></p>\n", d.Next)
	}
	b.WriteString("</body>\n</html>\n")
	return b.Bytes()
}

// writeRow is the only place where text of others gets into the page: all of it is escaped.
func writeRow(b *bytes.Buffer, p *payments.Payment) {
	b.WriteString("<tr>")
	for i, text := range []string{p.TrxDate.String(), p.PaymentType, p.TrxAmount.String(), p.Currency, p.AccountNo, p.AccountName, p.BankName, p.ReferenceNo} {
		if i == 2 {
			b.WriteString(`<td class="amount">`)
		} else {
			b.WriteString("<td>")
		}
		b.WriteString(html.EscapeString(text))
		b.WriteString("</td>")
	}
	b.WriteString("</tr>\n")
}
