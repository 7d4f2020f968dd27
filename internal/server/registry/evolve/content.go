package evolve

import (
	"regexp"
	"strconv"
)

// A content is what an object or an array says of members that it does not name: all are allowed (open), some (by a schema), or none.
type content struct {
	open   bool
	schema *node // nil: none
}

// contentOf reads additionalProperties or additionalItems; other are schemas that cover a member too.
func (n *node) contentOf(word string) content {
	v, given := n.fields[word]
	if !given || v == true {
		return content{open: true}
	}
	if v == false {
		return content{}
	}
	s := n.doc.node(v)
	return content{schema: &s}
}

// propertiesContent is the content of an object for one name: patterns cover names, and where there are some it is not open.
func (n *node) propertiesContent(name string) content {
	patterns := n.members("patternProperties")
	for _, p := range keys(patterns, nil) {
		if r, err := regexp.Compile(p); err == nil && r.MatchString(name) {
			s := n.doc.node(patterns[p])
			return content{schema: &s}
		}
	}
	out := n.contentOf("additionalProperties")
	if len(patterns) > 0 {
		out.open = false
	}
	return out
}

func (c *comparing) object(place string, older, newer node) {
	olds, news := older.members("properties"), newer.members("properties")
	for _, name := range keys(olds, news) {
		was, had := olds[name]
		is, has := news[name]
		at := place + "/properties/" + name
		switch {
		case had && has:
			c.required(place, name, older, newer)
			c.compare(at, older.doc.node(was), newer.doc.node(is))
		case had:
			c.removed(at, "PROPERTY", older.doc.node(was), newer.propertiesContent(name))
		default:
			c.added(at, "PROPERTY", older.propertiesContent(name), newer.doc.node(is))
			c.newlyRequired(at, name, older, newer)
		}
	}
	c.additional(place, "additionalProperties", older.contentOf("additionalProperties"), newer.contentOf("additionalProperties"))
	c.limits(place, older, newer, "maxProperties", "minProperties")
	c.dependencies(place, older, newer)
}

func hasDefault(v any) bool {
	fields, _ := v.(map[string]any)
	_, given := fields["default"]
	return given
}

// required: a property that both have may be required only if it was, or has a default.
func (c *comparing) required(place, name string, older, newer node) {
	was, is := texts(older.list("required"))[name], texts(newer.list("required"))[name]
	if is && !was && !hasDefault(newer.members("properties")[name]) {
		c.tell(place+"/required/"+name, "REQUIRED_ATTRIBUTE_ADDED", "the property could be missing")
	}
}

// newlyRequired is about a property that the older schema does not name, unless that is open: then it was told already.
func (c *comparing) newlyRequired(at, name string, older, newer node) {
	if older.propertiesContent(name).open || !texts(newer.list("required"))[name] || hasDefault(newer.members("properties")[name]) {
		return
	}
	c.tell(at, "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL", "the property is required, and records do not have it")
}

// removed: a member that is no longer named must be allowed among those that are not.
func (c *comparing) removed(at, what string, was node, in content) {
	switch {
	case in.open:
	case in.schema != nil:
		if covered := c.tried(at, was, *in.schema); len(covered) > 0 {
			c.found = append(c.found, covered...)
			c.tell(at, what+"_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", "what is allowed besides does not take its values")
		}
	case was.kind != nothing:
		c.tell(at, what+"_REMOVED_FROM_CLOSED_CONTENT_MODEL", "nothing besides what is named is allowed now")
	}
}

// added: a member that was not named could hold what was allowed among those.
func (c *comparing) added(at, what string, in content, is node) {
	switch {
	case in.open && is.kind != anything:
		c.tell(at, what+"_ADDED_TO_OPEN_CONTENT_MODEL", "records could have any value there")
	case in.schema != nil:
		if covered := c.tried(at, *in.schema, is); len(covered) > 0 {
			c.found = append(c.found, covered...)
			c.tell(at, what+"_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", "it does not take what was allowed there")
		}
	}
}

// additional compares what is allowed besides what is named.
func (c *comparing) additional(place, word string, was, is content) {
	at, name := place+"/"+word, screaming(word)
	switch {
	case is.open, !was.open && was.schema == nil:
	case is.schema == nil:
		c.tell(at, name+"_REMOVED", "nothing besides what is named is allowed now")
	case was.open:
		c.tell(at, name+"_NARROWED", "anything was allowed there")
	default:
		c.compare(at, *was.schema, *is.schema)
	}
}

// dependencies: what the presence of a property asks for may only become less.
func (c *comparing) dependencies(place string, older, newer node) {
	olds, news := older.members("dependencies"), newer.members("dependencies")
	for _, name := range keys(news, nil) {
		at := place + "/dependencies/" + name
		was, had := olds[name]
		list, isList := news[name].([]any)
		before, wasList := was.([]any)
		switch {
		case !had && isList:
			c.tell(at, "DEPENDENCY_ARRAY_ADDED", "records may have the property alone")
		case !had:
			c.tell(at, "DEPENDENCY_SCHEMA_ADDED", "records may have the property with anything else")
		case isList && wasList:
			for other := range texts(list) {
				if !texts(before)[other] {
					c.tell(at, "DEPENDENCY_ARRAY_EXTENDED", "the property needs another one now")
					break
				}
			}
		case isList != wasList:
			c.tell(at, "DEPENDENCY_ARRAY_CHANGED", "it asks for something else than before")
		default:
			c.compare(at, older.doc.node(was), newer.doc.node(news[name]))
		}
	}
}

func (c *comparing) array(place string, older, newer node) {
	olds, news := older.list("items"), newer.list("items")
	if olds == nil && news == nil {
		c.items(place, older, newer)
	} else {
		for i := range max(len(olds), len(news)) {
			at := place + "/items/" + strconv.Itoa(i)
			switch {
			case i < min(len(olds), len(news)):
				c.compare(at, older.doc.node(olds[i]), newer.doc.node(news[i]))
			case i < len(olds):
				c.removed(at, "ITEM", older.doc.node(olds[i]), newer.contentOf("additionalItems"))
			default:
				c.added(at, "ITEM", older.contentOf("additionalItems"), newer.doc.node(news[i]))
			}
		}
		c.additional(place, "additionalItems", older.contentOf("additionalItems"), newer.contentOf("additionalItems"))
	}
	c.limits(place, older, newer, "maxItems", "minItems")
	if newer.fields["uniqueItems"] == true && older.fields["uniqueItems"] != true {
		c.tell(place+"/uniqueItems", "UNIQUE_ITEMS_ADDED", "elements could be the same")
	}
}

// items compares the one schema of all elements.
func (c *comparing) items(place string, older, newer node) {
	is, has := newer.fields["items"]
	was, had := older.fields["items"]
	switch {
	case !has:
	case !had && newer.doc.node(is).kind != anything:
		c.tell(place+"/items", "SCHEMA_ADDED", "elements could be anything")
	default:
		c.compare(place+"/items", older.doc.node(was), newer.doc.node(is))
	}
}
