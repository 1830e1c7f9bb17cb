package admin

import (
	"context"

	"github.com/keystone-auth/keystone/internal/httpio"
)

// Setting is a setting as people may see it. Settings are changed where the
// server is started, never here.
type Setting struct {
	Name    string `json:"name"`
	Value   string `json:"value" doc:"The value in force; of a secret only whether it is set."`
	Source  string `json:"source" doc:"Where the value was found."`
	Default string `json:"default"`
	Help    string `json:"help"`
	Secret  bool   `json:"secret"`
}

type settingsAnswer struct {
	Body httpio.Collection[Setting]
}

func (s *Slice) settings(_ context.Context, in *httpio.PageQuery) (*settingsAnswer, error) {
	p, err := in.Page()
	if err != nil {
		return nil, err
	}
	list := httpio.PageOf(s.Settings(), p, func(v Setting) string { return v.Name })
	return &settingsAnswer{httpio.Collect(list, func(v Setting) Setting { return v })}, nil
}
