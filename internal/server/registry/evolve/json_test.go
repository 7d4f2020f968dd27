package evolve

import (
	"strings"
	"testing"
)

func TestJSON(t *testing.T) {
	const closed, open = `{"type":"object","additionalProperties":false,`, `{"type":"object",`
	for _, c := range []struct{ what, older, newer, want string }{
		{"the same", open + `"properties":{"a":{"type":"string"}}}`, open + `"properties":{"a":{"type":"string"}}}`, ""},
		{"titles and descriptions", `{"type":"string","title":"a"}`, `{"type":"string","description":"b"}`, ""},
		{"another type", `{"type":"string"}`, `{"type":"number"}`, "TYPE_CHANGED #"},
		{"whole numbers become any", `{"type":"integer"}`, `{"type":"number"}`, ""},
		{"numbers become whole", `{"type":"number"}`, `{"type":"integer"}`, "TYPE_NARROWED #"},
		{"anything is allowed", `{"type":"string"}`, `{}`, ""},
		{"no longer anything", `true`, `{"type":"string"}`, "TYPE_CHANGED #"},
		{"nothing was allowed", `false`, `{"type":"string"}`, ""},
		{"longer texts", `{"type":"string","maxLength":5,"minLength":2}`, `{"type":"string","maxLength":6,"minLength":1}`, ""},
		{"shorter texts", `{"type":"string","maxLength":5,"minLength":2}`, `{"type":"string","maxLength":4,"minLength":3}`, "MAX_LENGTH_DECREASED #/maxLength, MIN_LENGTH_INCREASED #/minLength"},
		{"a limit comes", `{"type":"string"}`, `{"type":"string","maxLength":4}`, "MAX_LENGTH_ADDED #/maxLength"},
		{"a limit goes", `{"type":"string","maxLength":4}`, `{"type":"string"}`, ""},
		{"a pattern comes", `{"type":"string"}`, `{"type":"string","pattern":"a"}`, "PATTERN_ADDED #/pattern"},
		{"a pattern changes", `{"type":"string","pattern":"b"}`, `{"type":"string","pattern":"a"}`, "PATTERN_CHANGED #/pattern"},
		{"a pattern goes", `{"type":"string","pattern":"b"}`, `{"type":"string"}`, ""},
		{"smaller numbers", `{"type":"number","maximum":9,"exclusiveMinimum":1}`, `{"type":"number","maximum":8,"exclusiveMinimum":2}`, "MAXIMUM_DECREASED #/maximum, EXCLUSIVE_MINIMUM_INCREASED #/exclusiveMinimum"},
		{"multiples come", `{"type":"number"}`, `{"type":"number","multipleOf":2}`, "MULTIPLE_OF_ADDED #/multipleOf"},
		{"more multiples", `{"type":"number","multipleOf":4}`, `{"type":"number","multipleOf":2}`, ""},
		{"fewer multiples", `{"type":"number","multipleOf":2}`, `{"type":"number","multipleOf":4}`, "MULTIPLE_OF_EXPANDED #/multipleOf"},
		{"other multiples", `{"type":"number","multipleOf":2}`, `{"type":"number","multipleOf":3}`, "MULTIPLE_OF_CHANGED #/multipleOf"},
		{"values come", `{"enum":["a"]}`, `{"enum":["a","b"]}`, ""},
		{"values go", `{"enum":["a","b"]}`, `{"enum":["a"]}`, "ENUM_ARRAY_NARROWED #/enum"},
		{"values change", `{"enum":["a"]}`, `{"enum":["b"]}`, "ENUM_ARRAY_CHANGED #/enum"},
		{"values become their type", `{"enum":["a"]}`, `{"type":"string"}`, ""},
		{"a type becomes values", `{"type":"string"}`, `{"type":"string","enum":["a"]}`, "TYPE_CHANGED #"},

		{"a property comes where anything could stand", open + `"properties":{}}`, open + `"properties":{"a":{"type":"string"}}}`, "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/a"},
		{"a property of any value comes", open + `"properties":{}}`, open + `"properties":{"a":{}}}`, ""},
		{"a property goes where anything may stand", open + `"properties":{"a":{"type":"string"}}}`, open + `"properties":{}}`, ""},
		{"a property comes where nothing else stood", closed + `"properties":{}}`, closed + `"properties":{"a":{"type":"string"}}}`, ""},
		{"a required one comes there", closed + `"properties":{}}`, closed + `"properties":{"a":{"type":"string"}},"required":["a"]}`, "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/a"},
		{"a required one with a default", closed + `"properties":{}}`, closed + `"properties":{"a":{"type":"string","default":"x"}},"required":["a"]}`, ""},
		{"a property goes where nothing else may stand", closed + `"properties":{"a":{"type":"string"}}}`, closed + `"properties":{}}`, "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/a"},
		{"a property that never was goes", closed + `"properties":{"a":false}}`, closed + `"properties":{}}`, ""},
		{
			"a property comes that others cover", open + `"properties":{},"additionalProperties":{"type":"integer"}}`,
			open + `"properties":{"a":{"type":"number"}},"additionalProperties":{"type":"integer"}}`, "",
		},
		{
			"a property comes that others do not cover", open + `"properties":{},"additionalProperties":{"type":"string"}}`,
			open + `"properties":{"a":{"type":"number"}},"additionalProperties":{"type":"string"}}`,
			"TYPE_CHANGED #/properties/a, PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/a",
		},
		{
			"a property goes that a pattern covers", closed + `"properties":{"ab":{"type":"string"}},"patternProperties":{"^a":{"type":"string"}}}`,
			closed + `"properties":{},"patternProperties":{"^a":{"type":"string"}}}`, "",
		},
		{
			"a property goes that a pattern refuses", closed + `"properties":{"ab":{"type":"string"}},"patternProperties":{"^a":{"type":"number"}}}`,
			closed + `"properties":{},"patternProperties":{"^a":{"type":"number"}}}`,
			"TYPE_CHANGED #/properties/ab, PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/ab",
		},
		{"a property becomes required", open + `"properties":{"a":{"type":"string"}}}`, open + `"properties":{"a":{"type":"string"}},"required":["a"]}`, "REQUIRED_ATTRIBUTE_ADDED #/required/a"},
		{"a property becomes required with a default", open + `"properties":{"a":{"type":"string"}}}`, open + `"properties":{"a":{"type":"string","default":""}},"required":["a"]}`, ""},
		{"a property is no longer required", open + `"properties":{"a":{"type":"string"}},"required":["a"]}`, open + `"properties":{"a":{"type":"string"}}}`, ""},
		{"an inner property changes", open + `"properties":{"a":{"type":"object","properties":{"b":{"type":"string"}}}}}`, open + `"properties":{"a":{"type":"object","properties":{"b":{"type":"null"}}}}}`, "TYPE_CHANGED #/properties/a/properties/b"},
		{"the content is closed", `{"type":"object"}`, `{"type":"object","additionalProperties":false}`, "ADDITIONAL_PROPERTIES_REMOVED #/additionalProperties"},
		{"the content is opened", `{"type":"object","additionalProperties":false}`, `{"type":"object"}`, ""},
		{"the content is narrowed", `{"type":"object"}`, `{"type":"object","additionalProperties":{"type":"string"}}`, "ADDITIONAL_PROPERTIES_NARROWED #/additionalProperties"},
		{"fewer properties", `{"type":"object","maxProperties":3}`, `{"type":"object","maxProperties":2}`, "MAX_PROPERTIES_DECREASED #/maxProperties"},
		{"a dependency comes", `{"type":"object"}`, `{"type":"object","dependencies":{"a":["b"]}}`, "DEPENDENCY_ARRAY_ADDED #/dependencies/a"},
		{"a dependency asks for more", `{"type":"object","dependencies":{"a":["b"]}}`, `{"type":"object","dependencies":{"a":["b","c"]}}`, "DEPENDENCY_ARRAY_EXTENDED #/dependencies/a"},
		{"a dependency goes", `{"type":"object","dependencies":{"a":["b"]}}`, `{"type":"object"}`, ""},

		{"elements change", `{"type":"array","items":{"type":"string"}}`, `{"type":"array","items":{"type":"number"}}`, "TYPE_CHANGED #/items"},
		{"elements get a schema", `{"type":"array"}`, `{"type":"array","items":{"type":"number"}}`, "SCHEMA_ADDED #/items"},
		{"elements lose it", `{"type":"array","items":{"type":"number"}}`, `{"type":"array"}`, ""},
		{"more elements", `{"type":"array","maxItems":2,"minItems":1}`, `{"type":"array","maxItems":3}`, ""},
		{"fewer elements", `{"type":"array","minItems":1}`, `{"type":"array","minItems":2}`, "MIN_ITEMS_INCREASED #/minItems"},
		{"elements must differ", `{"type":"array"}`, `{"type":"array","uniqueItems":true}`, "UNIQUE_ITEMS_ADDED #/uniqueItems"},
		{"a place comes where anything could stand", `{"type":"array","items":[{"type":"string"}]}`, `{"type":"array","items":[{"type":"string"},{"type":"string"}]}`, "ITEM_ADDED_TO_OPEN_CONTENT_MODEL #/items/1"},
		{"a place comes where nothing stood", `{"type":"array","items":[],"additionalItems":false}`, `{"type":"array","items":[{"type":"string"}],"additionalItems":false}`, ""},
		{"a place goes where nothing may stand", `{"type":"array","items":[{"type":"string"}],"additionalItems":false}`, `{"type":"array","items":[],"additionalItems":false}`, "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL #/items/0"},

		{"null is allowed", `{"type":"string"}`, `{"type":["string","null"]}`, ""},
		{"null is no longer allowed", `{"type":["string","null"]}`, `{"type":"string"}`, "TYPE_CHANGED #"},
		{"a branch comes", `{"oneOf":[{"type":"string"}]}`, `{"oneOf":[{"type":"string"},{"type":"number"}]}`, ""},
		{"a branch goes", `{"oneOf":[{"type":"string"},{"type":"number"}]}`, `{"oneOf":[{"type":"string"}]}`, "SUM_TYPE_NARROWED #"},
		{"a branch changes", `{"oneOf":[{"type":"string"},{"type":"number"}]}`, `{"oneOf":[{"type":"string"},{"type":"boolean"}]}`, "COMBINED_TYPE_SUBSCHEMAS_CHANGED #"},
		{"branches in another order", `{"anyOf":[{"type":"string"},{"type":"number"}]}`, `{"anyOf":[{"type":"number"},{"type":"string"}]}`, ""},
		{"oneOf becomes anyOf", `{"oneOf":[{"type":"string"},{"type":"number"}]}`, `{"anyOf":[{"type":"number"},{"type":"string"}]}`, ""},
		{"anyOf becomes oneOf", `{"anyOf":[{"type":"string"},{"type":"number"}]}`, `{"oneOf":[{"type":"number"},{"type":"string"}]}`, "COMBINED_TYPE_CHANGED #"},
		{"more must hold", `{"allOf":[{"type":"string"}]}`, `{"allOf":[{"type":"string"},{"maxLength":3}]}`, "PRODUCT_TYPE_EXTENDED #"},
		{"less must hold", `{"allOf":[{"type":"string"},{"maxLength":3}]}`, `{"allOf":[{"type":"string"}]}`, ""},
		{"less is excluded", `{"not":{"type":"number"}}`, `{"not":{"type":"integer"}}`, ""},
		{"more is excluded", `{"not":{"type":"integer"}}`, `{"not":{"type":"number"}}`, "NOT_TYPE_EXTENDED #/not"},

		{"a reference", `{"$ref":"#/definitions/a","definitions":{"a":{"type":"string"}}}`, `{"$ref":"#/$defs/b","$defs":{"b":{"type":"number"}}}`, "TYPE_CHANGED #"},
		{"a schema within itself", `{"$ref":"#/definitions/a","definitions":{"a":{"type":"object","properties":{"a":{"$ref":"#/definitions/a"}}}}}`, `{"$ref":"#/definitions/a","definitions":{"a":{"type":"object","properties":{"a":{"$ref":"#/definitions/a"}}}}}`, ""},
		{"a reference to itself", `{"$ref":"#"}`, `{"type":"string"}`, "TYPE_CHANGED #"},
	} {
		found, err := JSON(Text{Schema: c.older}, Text{Schema: c.newer})
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		check(t, c.what, found, c.want)
	}
}

func TestJSONWithImports(t *testing.T) {
	older := Text{`{"$ref":"a.json#/definitions/x"}`, map[string]string{"a.json": `{"definitions":{"x":{"$ref":"b.json"}}}`, "b.json": `{"type":"string"}`}}
	newer := Text{`{"$ref":"a.json"}`, map[string]string{"a.json": `{"type":"number"}`}}
	found, err := JSON(older, newer)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "imports", found, "TYPE_CHANGED #")
	if _, err := JSON(older, Text{`{`, nil}); err == nil {
		t.Error("half a schema was compared")
	}
}

func TestBranchesWithinBranchesAreBounded(t *testing.T) {
	branches := `{"anyOf":[{"$ref":"#"},{"$ref":"#"},{"$ref":"#"},{"type":"string"}]}`
	if _, err := JSON(Text{Schema: branches}, Text{Schema: strings.ReplaceAll(branches, "string", "number")}); err == nil {
		t.Error("branches without an end were compared")
	}
}
