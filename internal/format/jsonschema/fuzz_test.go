package jsonschema_test

import (
	"testing"

	"github.com/mainstemio/mainstem/internal/format/jsonschema"
	"github.com/mainstemio/mainstem/row"
)

// FuzzInfer reads hostile schemas. What they give can be written as a schema of Kafka Connect's, which gives the same again, unless its
// names or its maps are such that JSON does not have them.
func FuzzInfer(f *testing.F) {
	for _, s := range []string{
		`{"type":"integer"}`, `{"oneOf":[{"type":"null"},{"type":"string","connect.type":"bytes"}]}`,
		`{"type":"object","properties":{"a":{"type":["null","boolean"],"connect.index":1},"b":{"$ref":"#/definitions/x"}},"definitions":{"x":{"type":"number"}}}`,
		`{"type":"array","connect.type":"map","items":{"type":"object","properties":{"key":{"type":"string"},"value":{"type":"integer"}}}}`,
		`{"$ref":"#"}`, `{"type":"object","additionalProperties":{"type":"number","title":"org.apache.kafka.connect.data.Decimal","connect.parameters":{"scale":"3"}}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		jsonschema.PairedMaps(text)
		of, err := jsonschema.Infer(text)
		if err != nil {
			return
		}
		own, err := jsonschema.Text(row.Schema{{Name: "V", Type: of}}, true)
		if err != nil {
			return
		}
		again, err := jsonschema.Infer(own)
		if err != nil || !again.Equal(of) {
			t.Errorf("%s becomes %s, %v", of, again, err)
		}
	})
}
