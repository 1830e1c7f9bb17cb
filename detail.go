package keystone

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
)

// Details are authorization details (RFC 9396 section 2), an object each, in one
// spelling: members in order, no spaces. So two that say the same are equal to the
// letter.
type Details []json.RawMessage

// Bounds of authorization details: a token carries them.
const (
	maxDetails     = 10
	maxDetailsText = 4 << 10
	maxDetailRaw   = 8 << 10
)

// The refusals of RFC 9396 section 5.
var (
	errDetails = Fail(Invalid, "authorization_details is a JSON array of one to ten objects, together at most 4 KiB, each with a type (RFC 9396 section 2).").WithCode("invalid_authorization_details")
	errType    = Fail(Invalid, "The client may not ask for authorization details of this type, or it is not known here. The metadata lists the types (authorization_details_types_supported).").WithCode("invalid_authorization_details")
	errMembers = Fail(Invalid, "An object of authorization_details lacks a member of its type, has one that the type does not have, or one of the wrong kind or length.").WithCode("invalid_authorization_details")
)

// Parse reads authorization details that a client asks for: of types that are
// declared, that are among may, and as their type says. "" is nil.
func (t DetailTypes) Parse(raw string, may []string) (Details, error) {
	if raw == "" {
		return nil, nil
	}
	d := json.NewDecoder(strings.NewReader(raw))
	d.UseNumber()
	var list []map[string]any
	if len(raw) > maxDetailRaw || d.Decode(&list) != nil || len(list) == 0 || len(list) > maxDetails {
		return nil, errDetails
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errDetails
	}
	details, size := make(Details, len(list)), 0
	for i, object := range list {
		name, _ := object["type"].(string)
		kind, declared := t[name]
		if !declared || !slices.Contains(may, name) {
			return nil, errType
		}
		delete(object, "type")
		if !fits(object, kind.Fields) {
			return nil, errMembers
		}
		object["type"] = name
		text, err := json.Marshal(object)
		if err != nil {
			return nil, errDetails
		}
		details[i], size = text, size+len(text)
	}
	if size > maxDetailsText {
		return nil, errDetails
	}
	return details, nil
}

// Allowed returns those of the details whose type is declared and may be asked for
// by the client, as it is now.
func (t DetailTypes) Allowed(c *Client, details Details) (list Details) {
	for _, d := range details {
		if name := typeOf(d); slices.Contains(c.DetailTypes, name) {
			if _, declared := t[name]; declared {
				list = append(list, d)
			}
		}
	}
	return list
}

// Types names the types of the details, sorted.
func (d Details) Types() (names []string) {
	for _, one := range d {
		names = append(names, typeOf(one))
	}
	return SortedSet(names)
}

// Cover reports whether each of others is one of d.
func (d Details) Cover(others Details) bool {
	for _, one := range others {
		if !slices.ContainsFunc(d, func(mine json.RawMessage) bool { return bytes.Equal(mine, one) }) {
			return false
		}
	}
	return true
}

// Text is the details as a JSON array, or "" for none.
func (d Details) Text() string {
	if len(d) == 0 {
		return ""
	}
	return string(d.AppendJSON(nil))
}

// AppendJSON appends the JSON array.
func (d Details) AppendJSON(b []byte) []byte {
	b = append(b, '[')
	for i, one := range d {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, one...)
	}
	return append(b, ']')
}

// DetailsOf is the reverse of Text.
func DetailsOf(text string) (d Details, err error) {
	if text != "" {
		err = json.Unmarshal([]byte(text), &d)
	}
	return d, err
}

func typeOf(detail json.RawMessage) string {
	var object struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(detail, &object) // one that does not parse has no type
	return object.Type
}

// fits reports whether an object is as its fields say.
func fits(object map[string]any, fields map[string]DetailField) bool {
	for name := range object {
		if _, known := fields[name]; !known {
			return false
		}
	}
	for name, field := range fields {
		value, there := object[name]
		if !there && field.Required || there && !field.takes(value) {
			return false
		}
	}
	return true
}

// ShownDetail is an authorization detail as people read it: a sentence, and every
// member of it, so that nothing is hidden.
type ShownDetail struct {
	Text  string
	Lines []DetailLine
}

// DetailLine is one member.
type DetailLine struct{ Label, Value string }

// Show writes details for people.
func (t DetailTypes) Show(details Details) []ShownDetail {
	list := make([]ShownDetail, len(details))
	for i, d := range details {
		var object map[string]any
		decoder := json.NewDecoder(bytes.NewReader(d))
		decoder.UseNumber()
		_ = decoder.Decode(&object) // ours
		kind := t[typeOf(d)]
		delete(object, "type")
		values := map[string]string{}
		lines(object, kind.Fields, "", "", values, &list[i].Lines)
		list[i].Text = placeholder.ReplaceAllStringFunc(kind.Text, func(name string) string { return values[strings.Trim(name, "{}")] })
		if kind.Text == "" { // not declared any more
			list[i].Text = typeOf(d)
		}
	}
	return list
}

func lines(object map[string]any, fields map[string]DetailField, path, label string, values map[string]string, into *[]DetailLine) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		field := fields[name]
		title := label + field.title(name)
		if inner, ok := object[name].(map[string]any); ok {
			lines(inner, field.Fields, path+name+".", title+", ", values, into)
			continue
		}
		value := field.write(object[name])
		values[path+name] = value
		*into = append(*into, DetailLine{title, value})
	}
}
