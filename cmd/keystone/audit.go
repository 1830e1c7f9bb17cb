package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
)

func auditCommand(a *app) *cobra.Command {
	return group("audit", "The audit trail: who did what to whom", auditList(a), auditVerify(a))
}

// auditView is a row of the trail for scripts, in the shape of the API.
type auditView struct {
	Seq        int64          `json:"seq"`
	ID         string         `json:"id"`
	At         time.Time      `json:"at"`
	ActorKind  string         `json:"actor_kind"`
	ActorID    string         `json:"actor_id"`
	ActorName  string         `json:"actor_name"`
	ClientID   string         `json:"client_id"`
	Source     string         `json:"source"`
	RequestID  string         `json:"request_id"`
	Action     string         `json:"action"`
	TargetKind string         `json:"target_kind"`
	TargetID   string         `json:"target_id"`
	TargetName string         `json:"target_name"`
	Detail     map[string]any `json:"detail"`
}

func viewAudit(e keystone.AuditEvent) auditView {
	if e.Detail == nil {
		e.Detail = map[string]any{}
	}
	return auditView{Seq: e.Seq, ID: e.ID, At: e.At, ActorKind: string(e.ActorKind), ActorID: e.ActorID, ActorName: e.ActorName, ClientID: e.ClientID,
		Source: e.Source, RequestID: e.RequestID, Action: e.Action, TargetKind: e.TargetKind, TargetID: e.TargetID, TargetName: e.TargetName, Detail: e.Detail}
}

var auditColumns = []column[auditView]{
	{name: "seq", cell: func(e auditView) string { return number(e.Seq) }},
	{name: "at", cell: func(e auditView) string { return stamp(&e.At) }},
	{name: "actor", cell: func(e auditView) string { return e.ActorKind + " " + e.ActorName }},
	{name: "from", cell: func(e auditView) string { return e.Source }},
	{name: "action", cell: func(e auditView) string { return e.Action }},
	{name: "target", cell: func(e auditView) string {
		if e.TargetName == "" {
			return e.TargetKind + " " + e.TargetID
		}
		return e.TargetKind + " " + e.TargetName
	}},
	{name: "detail", cell: func(e auditView) string {
		b, err := json.Marshal(e.Detail)
		if err != nil || len(e.Detail) == 0 {
			return ""
		}
		return string(b)
	}},
}

func auditList(a *app) *cobra.Command {
	var f keystone.AuditFilter
	var from, to string
	var p paging
	c := &cobra.Command{Use: "list", Short: "List the trail, newest first", Args: cobra.NoArgs,
		RunE: a.withStore(func(ctx context.Context, s *store.Store, _ []string) error {
			if err := keystone.CheckAuditAction(f.Action); err != nil {
				return err
			}
			page, err := p.page()
			if err != nil {
				return err
			}
			if f.From, err = parseTime("--from", from, s.Now()); err != nil {
				return err
			}
			if f.To, err = parseTime("--to", to, s.Now()); err != nil {
				return err
			}
			list, err := s.AuditEvents(ctx, f, page)
			if err != nil {
				return err
			}
			return printList(a, list, viewAudit, auditColumns)
		})}
	c.Flags().StringVar(&from, "from", "", "at or after this time: 2026-11-24T15:00:00Z, 2026-11-24, or 1h30m ago as 1h30m")
	c.Flags().StringVar(&to, "to", "", "before this time")
	c.Flags().StringVar(&f.Actor, "actor", "", "only what this actor did (id or name)")
	c.Flags().StringVar(&f.Action, "action", "", "only this action (user.created), or this family (user.)")
	c.Flags().StringVar(&f.Target, "target", "", "only what was done to this (id or name)")
	p.add(c)
	return c
}

// parseTime reads a moment, a day, or how long ago; nothing is the zero time.
func parseTime(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, usageError{flag + " is not a time: write 2026-11-24T15:00:00Z, 2026-11-24, or 1h30m for so long ago"}
}
