package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
)

// traceView is a refusal for scripts, in the shape of the API.
type traceView struct {
	RequestID string            `json:"request_id"`
	At        time.Time         `json:"at"`
	Route     string            `json:"route"`
	Source    string            `json:"source"`
	ClientID  string            `json:"client_id"`
	ActorID   string            `json:"actor_id"`
	Status    int               `json:"status"`
	Error     string            `json:"error"`
	Refused   string            `json:"refused_by"`
	Fix       string            `json:"fix"`
	Checks    []string          `json:"checks"`
	Facts     map[string]string `json:"facts"`
}

func viewTrace(t keystone.Trace) traceView {
	v := traceView{RequestID: t.RequestID, At: t.At, Route: t.Route, Source: t.Source, ClientID: t.ClientID, ActorID: t.ActorID,
		Status: t.Status, Error: t.Code, Fix: t.Fix, Checks: names(t.Checks), Facts: t.Facts}
	if n := len(t.Checks); n > 0 {
		v.Refused = t.Checks[n-1]
	}
	return v
}

func explainCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "explain REQUEST_ID", Short: "Say why a request was refused in the last day", Args: cobra.ExactArgs(1),
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			list, err := s.Traces(ctx, args[0])
			if keystone.KindOf(err) == keystone.NotFound {
				err = keystone.ErrNoTrace
			}
			if err != nil {
				return err
			}
			if a.json {
				views := make([]traceView, 0, len(list))
				for _, t := range list {
					views = append(views, viewTrace(t))
				}
				return a.document(map[string]any{"items": views})
			}
			for _, t := range list {
				if err := a.explain(viewTrace(t)); err != nil {
					return err
				}
			}
			return nil
		})}
}

func (a *app) explain(t traceView) error {
	text := fmt.Sprintf("%s  %s  %d %s\n", stamp(&t.At), t.Route, t.Status, t.Error)
	for _, about := range [][2]string{{"from", t.Source}, {"client", t.ClientID}, {"actor", t.ActorID}} {
		if about[1] != "" {
			text += fmt.Sprintf("  %-8s%s\n", about[0], printable(about[1]))
		}
	}
	for i, name := range t.Checks {
		mark := "passed "
		if i == len(t.Checks)-1 {
			mark = "REFUSED"
		}
		text += fmt.Sprintf("  %s %s\n", mark, name)
	}
	for _, name := range slices.Sorted(maps.Keys(t.Facts)) {
		text += fmt.Sprintf("          %s: %s\n", printable(name), printable(t.Facts[name]))
	}
	return a.say("%s  mend it %s", text, t.Fix)
}
