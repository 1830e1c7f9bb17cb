package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/store"
)

func sessionCommand(a *app) *cobra.Command {
	return group("session", "Sessions: who is signed in where", sessionList(a), sessionEnd(a))
}

// sessionView is a session for scripts, in the shape of the API.
type sessionView struct {
	ID        string    `json:"id"`
	UserID    string    `json:"user_id"`
	Username  string    `json:"username"`
	ClientID  string    `json:"client_id"`
	Source    string    `json:"source"`
	UserAgent string    `json:"user_agent"`
	AMR       []string  `json:"amr"`
	CreatedAt time.Time `json:"created_at"`
	LastSeen  time.Time `json:"last_seen"`
	ExpiresAt time.Time `json:"expires_at"`
}

func viewSession(s keystone.Session) sessionView {
	return sessionView{ID: s.ID, UserID: s.UserID, Username: s.Username, ClientID: s.ClientID, Source: s.Source, UserAgent: s.UserAgent,
		AMR: names(s.AMR), CreatedAt: s.CreatedAt, LastSeen: s.LastSeen, ExpiresAt: s.ExpiresAt}
}

var sessionColumns = []column[sessionView]{
	{name: "id", cell: func(s sessionView) string { return s.ID }},
	{name: "user", cell: func(s sessionView) string { return s.Username }},
	{name: "client", cell: func(s sessionView) string { return s.ClientID }},
	{name: "from", cell: func(s sessionView) string { return s.Source }},
	{name: "began", cell: func(s sessionView) string { return stamp(&s.CreatedAt) }},
	{name: "last seen", cell: func(s sessionView) string { return stamp(&s.LastSeen) }},
	{name: "ends", cell: func(s sessionView) string { return stamp(&s.ExpiresAt) }},
	{name: "with", cell: func(s sessionView) string { return s.UserAgent }},
}

func sessionList(a *app) *cobra.Command {
	var of string
	var p paging
	c := &cobra.Command{Use: "list", Short: "List living sessions, oldest first", Args: cobra.NoArgs,
		RunE: a.withStore(func(ctx context.Context, s *store.Store, _ []string) error {
			page, err := p.page()
			if err != nil {
				return err
			}
			userID := ""
			if of != "" {
				u, err := s.FindUser(ctx, of)
				if err != nil {
					return err
				}
				userID = u.ID
			}
			list, err := s.Sessions(ctx, userID, page)
			if err != nil {
				return err
			}
			return printList(a, list, viewSession, sessionColumns)
		})}
	c.Flags().StringVar(&of, "user", "", "only this user's (id, username or e-mail address)")
	p.add(c)
	return c
}

func sessionEnd(a *app) *cobra.Command {
	var of string
	c := &cobra.Command{Use: "end [SESSION_ID]", Short: "End one session, or with --user all of a user's, and their refresh tokens",
		Args: func(c *cobra.Command, args []string) error {
			if (of == "") == (len(args) == 0) {
				return usageError{"name either a session or a user with --user"}
			}
			return cobra.MaximumNArgs(1)(c, args)
		},
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			if of == "" {
				if err := s.EndSession(ctx, operator(), args[0], "", keystone.EndRevoked); err != nil {
					return err
				}
				return endedSessions(a, 1)
			}
			u, err := s.FindUser(ctx, of)
			if err != nil {
				return err
			}
			n, err := s.EndSessions(ctx, operator(), u.ID, "", keystone.EndRevoked)
			if err != nil {
				return err
			}
			return endedSessions(a, n)
		})}
	c.Flags().StringVar(&of, "user", "", "all sessions of this user (id, username or e-mail address)")
	return c
}

func endedSessions(a *app, n int64) error {
	if a.json {
		return a.document(struct {
			Ended int64 `json:"ended"`
		}{n})
	}
	return a.say("Sessions ended: %d", n)
}
