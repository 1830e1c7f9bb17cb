package keystone

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// DetailTypes are the types of authorization details that an operator declares, by
// name. Nothing else can be asked for.
type DetailTypes map[string]DetailType

// DetailType is one of them: what people read of it, and what an object of the type
// has besides "type".
type DetailType struct {
	Text   string                 `json:"text"` // with {member} in it, or {object.member}
	Fields map[string]DetailField `json:"fields"`
}

// DetailField is a member of such an object.
type DetailField struct {
	Label     string                 `json:"label"` // for people; the name where it is left out
	Kind      string                 `json:"kind"`  // string, number, boolean, strings or object
	Required  bool                   `json:"required"`
	Values    []string               `json:"values"`     // of string and strings: no others
	MaxLength int                    `json:"max_length"` // characters of a string; 200 where it is left out
	Fields    map[string]DetailField `json:"fields"`     // of an object
}

const (
	maxDetailTypes  = 50
	maxDetailFields = 50
	maxDetailDepth  = 3
	maxDetailLength = 200 // characters, where the field does not say
	maxDetailNumber = 30  // characters
	maxDetailItems  = 20  // of strings
)

var (
	placeholder = regexp.MustCompile(`\{[^{}]*\}`)
	memberName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,49}$`)
	// commonMembers are those of RFC 9396 section 2.2, which have one kind only.
	commonMembers = map[string]string{"locations": "strings", "actions": "strings", "datatypes": "strings", "privileges": "strings", "identifier": "string"}
)

// ParseDetailTypes reads what an operator declares: a JSON object of types. Every
// mistake is named with where it is.
func ParseDetailTypes(text []byte) (DetailTypes, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var types DetailTypes
	if err := d.Decode(&types); err != nil {
		return nil, fmt.Errorf("it is not a JSON object of types: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something behind the JSON object")
	}
	if len(types) > maxDetailTypes {
		return nil, errors.New("declare at most 50 types")
	}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		if err := types[name].check(name); err != nil {
			return nil, fmt.Errorf("type %q: %w", name, err)
		}
	}
	return types, nil
}

// IsDetailType reports whether s can be the name of a type.
func IsDetailType(s string) bool {
	return s != "" && len(s) <= 100 && !strings.ContainsFunc(s, func(r rune) bool { return r <= 0x20 || r > 0x7e || r == '"' || r == '\\' || r == '<' || r == '>' })
}

func (t DetailType) check(name string) error {
	if !IsDetailType(name) {
		return errors.New("a name is at most 100 characters of printable ASCII without spaces, quotes, backslashes and angle brackets")
	}
	if t.Text == "" || validText("text", t.Text, 500) != nil {
		return errors.New("text: say in one line of at most 500 characters what the person allows, such as \"Pay {amount} to {creditor}\"")
	}
	paths := map[string]bool{}
	if err := checkFields(t.Fields, "", 1, paths); err != nil {
		return err
	}
	for _, p := range placeholder.FindAllString(t.Text, -1) {
		if !paths[strings.Trim(p, "{}")] {
			return fmt.Errorf("text: there is no member %s", p)
		}
	}
	return nil
}

func checkFields(fields map[string]DetailField, path string, depth int, paths map[string]bool) error {
	if len(fields) > maxDetailFields || depth > maxDetailDepth {
		return errors.New("an object has at most 50 fields, and objects lie at most three deep")
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		f := fields[name]
		if err := f.check(name, path, depth, paths); err != nil {
			return fmt.Errorf("%s: %w", path+name, err)
		}
	}
	return nil
}

func (f DetailField) check(name, path string, depth int, paths map[string]bool) error {
	common, isCommon := commonMembers[name]
	switch {
	case !memberName.MatchString(name) || strings.EqualFold(name, "type") && depth == 1:
		return errors.New("a name is letters, digits and underscores, and not type")
	case isCommon && depth == 1 && f.Kind != common:
		return fmt.Errorf("its kind is %s (RFC 9396 section 2.2)", common)
	case validText("label", f.Label, 100) != nil:
		return errors.New("label: at most 100 characters of one line")
	case f.MaxLength < 0 || f.MaxLength > 1000 || f.MaxLength != 0 && f.Kind != "string" && f.Kind != "strings":
		return errors.New("max_length: 1 to 1000, of kind string or strings")
	case len(f.Values) > 0 && f.Kind != "string" && f.Kind != "strings":
		return errors.New("values: of kind string or strings")
	case len(f.Fields) > 0 != (f.Kind == "object"):
		return errors.New("fields: of kind object, and then at least one")
	}
	switch f.Kind {
	case "string", "number", "boolean", "strings":
		paths[path+name] = true
		return nil
	case "object":
		return checkFields(f.Fields, path+name+".", depth+1, paths)
	}
	return errors.New("kind: string, number, boolean, strings or object")
}

// takes reports whether a value is one of the field.
func (f DetailField) takes(value any) bool {
	switch v := value.(type) {
	case string:
		return f.Kind == "string" && f.takesText(v)
	case json.Number:
		_, err := v.Float64()
		return f.Kind == "number" && err == nil && len(v) <= maxDetailNumber
	case bool:
		return f.Kind == "boolean"
	case map[string]any:
		return f.Kind == "object" && fits(v, f.Fields)
	case []any:
		if f.Kind != "strings" || len(v) == 0 || len(v) > maxDetailItems {
			return false
		}
		for _, one := range v {
			if text, ok := one.(string); !ok || !f.takesText(text) {
				return false
			}
		}
		return true
	}
	return false
}

func (f DetailField) takesText(s string) bool {
	most := f.MaxLength
	if most == 0 {
		most = maxDetailLength
	}
	return validText("", s, most) == nil && (len(f.Values) == 0 || slices.Contains(f.Values, s))
}

func (f DetailField) title(name string) string {
	if f.Label != "" {
		return f.Label
	}
	return name
}

// write is a value as people read it.
func (f DetailField) write(value any) string {
	switch v := value.(type) {
	case bool:
		return strconv.FormatBool(v)
	case []any:
		list := make([]string, len(v))
		for i, one := range v {
			list[i] = fmt.Sprint(one)
		}
		return strings.Join(list, ", ")
	}
	return fmt.Sprint(value)
}
