package config

import (
	"reflect"
	"strings"
)

// field is a setting as its tags describe it.
type field struct {
	name, group        string
	def, auto, example string
	help, unit         string
	min, max           string
	oneof              []string
	secret             bool // may come from NAME_FILE, is never shown
	index              int
}

// fields returns the settings in the order of the struct.
func fields() []field {
	t := reflect.TypeFor[Config]()
	var list []field
	group := ""
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		name, ok := tag.Lookup("env")
		if !ok {
			continue
		}
		if g := tag.Get("group"); g != "" {
			group = g
		}
		f := field{
			name: name, group: group, def: tag.Get("default"), auto: tag.Get("auto"), example: tag.Get("example"),
			help: tag.Get("help"), unit: tag.Get("unit"), min: tag.Get("min"), max: tag.Get("max"), index: i,
			secret: t.Field(i).Type == reflect.TypeFor[Secret](),
		}
		if s := tag.Get("oneof"); s != "" {
			f.oneof = strings.Split(s, "|")
		}
		list = append(list, f)
	}
	return list
}

// target returns a pointer to the field's value in c.
func (f field) target(c *Config) any {
	return reflect.ValueOf(c).Elem().Field(f.index).Addr().Interface()
}

// prefix is what may stand before every name, and wins over the name alone.
const prefix = "KEYSTONE_"

// names returns every spelling of the setting: with the value, then with the
// path of a file that holds it.
func (f field) names() (direct, byFile []string) {
	direct = []string{prefix + f.name, f.name}
	if f.secret {
		byFile = []string{prefix + f.name + "_FILE", f.name + "_FILE"}
	}
	return direct, byFile
}
