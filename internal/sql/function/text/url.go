package text

import (
	"fmt"
	"strings"

	"github.com/mainstemio/mainstem/internal/java"
	"github.com/mainstemio/mainstem/internal/sql/function"
	"github.com/mainstemio/mainstem/row"
)

// urls are the functions that take URLs apart. What is no URI has no parts; ksqlDB notes it as an error.
func urls() []function.Scalar {
	extract := func(name, text, result string, f func(u java.URI) row.Value) function.Scalar {
		return function.Scalar{Doc: function.Doc{Name: name, Category: "URL", Text: text}, Overloads: []function.Overload{{
			Signature: "(STRING) " + result, Eval: func(args []row.Value) (row.Value, error) {
				u, err := java.ParseURI(args[0].Text())
				if err != nil {
					return row.Null, fmt.Errorf("%q: %w", args[0].Text(), err)
				}
				return f(u), nil
			},
		}}}
	}
	optional := func(s string, has bool) row.Value {
		if !has {
			return row.Null
		}
		return row.NewString(java.DecodePercent(s))
	}
	return []function.Scalar{
		extract("url_extract_protocol", "The scheme of a URL.", "STRING", func(u java.URI) row.Value { return optional(u.Scheme, u.HasScheme) }),
		extract("url_extract_host", "The host of a URL.", "STRING", func(u java.URI) row.Value { return optional(u.Host, u.HasHost) }),
		extract("url_extract_path", "The path of a URL, decoded.", "STRING", func(u java.URI) row.Value { return optional(u.Path, u.HasPath) }),
		extract("url_extract_query", "The query of a URL, decoded.", "STRING", func(u java.URI) row.Value { return optional(u.Query, u.HasQuery) }),
		extract("url_extract_fragment", "The fragment of a URL, decoded.", "STRING", func(u java.URI) row.Value { return optional(u.Fragment, u.HasFragment) }),
		extract("url_extract_port", "The port of a URL; null: it names none.", "INT", func(u java.URI) row.Value {
			if u.Port < 0 {
				return row.Null
			}
			return row.NewInt(int32(u.Port))
		}),
		{Doc: function.Doc{Name: "url_extract_parameter", Category: "URL", Text: "The value of a parameter in a URL's query, decoded."}, Overloads: []function.Overload{{
			Signature: "(STRING, STRING) STRING", Eval: func(args []row.Value) (row.Value, error) {
				u, err := java.ParseURI(args[0].Text())
				if err != nil {
					return row.Null, fmt.Errorf("%q: %w", args[0].Text(), err)
				}
				return parameter(u.Query, args[1].Text()), nil
			},
		}}},
		{Doc: function.Doc{Name: "url_encode_param", Category: "URL", Text: "A text as it stands in the query of a URL."}, Overloads: []function.Overload{{
			Signature: "(STRING) STRING", Eval: func(args []row.Value) (row.Value, error) { return row.NewString(java.EncodeForm(args[0].Text())), nil },
		}}},
		{Doc: function.Doc{Name: "url_decode_param", Category: "URL", Text: "The text that a part of a URL's query stands for."}, Overloads: []function.Overload{{
			Signature: "(STRING) STRING", Eval: func(args []row.Value) (row.Value, error) {
				s, err := java.DecodeForm(args[0].Text())
				return row.NewString(s), err
			},
		}}},
	}
}

func parameter(query, name string) row.Value {
	for _, pair := range strings.Split(query, "&") {
		k, v, ok := strings.Cut(pair, "=")
		if decoded, err := java.DecodeForm(k); err != nil || decoded != name || !ok {
			continue
		}
		if s, err := java.DecodeForm(v); err == nil {
			return row.NewString(s)
		}
	}
	return row.Null
}
