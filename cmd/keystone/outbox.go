package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone/internal/store"
)

func outboxCommand(a *app) *cobra.Command {
	return group("outbox", "Messages to other servers: what waits, what was given up", outboxList(a), outboxRetry(a))
}

// messageView is a message that is not delivered.
type messageView struct {
	ID        string     `json:"id"`
	Kind      string     `json:"kind"`
	CreatedAt time.Time  `json:"created_at"`
	DueAt     time.Time  `json:"due_at"`
	Attempts  int        `json:"attempts"`
	LastError string     `json:"last_error"`
	GivenUpAt *time.Time `json:"given_up_at"`
}

func viewMessage(w store.Waiting) messageView {
	return messageView{w.ID, w.Kind, w.CreatedAt, w.DueAt, w.Attempts, w.LastError, moment(w.GivenUpAt)}
}

var messageColumns = []column[messageView]{
	{name: "id", cell: func(m messageView) string { return m.ID }},
	{name: "kind", cell: func(m messageView) string { return m.Kind }},
	{name: "since", cell: func(m messageView) string { return stamp(&m.CreatedAt) }},
	{name: "attempts", cell: func(m messageView) string { return number(int64(m.Attempts)) }},
	{name: "next", cell: func(m messageView) string {
		if m.GivenUpAt != nil {
			return "given up"
		}
		return stamp(&m.DueAt)
	}},
	{name: "last error", cell: func(m messageView) string { return m.LastError }},
}

func outboxList(a *app) *cobra.Command {
	var p paging
	var givenUp bool
	c := &cobra.Command{Use: "list", Short: "List messages that are not delivered, oldest first", Args: cobra.NoArgs,
		RunE: a.withStore(func(ctx context.Context, s *store.Store, _ []string) error {
			page, err := p.page()
			if err != nil {
				return err
			}
			list, err := s.Waiting(ctx, givenUp, page)
			if err != nil {
				return err
			}
			return printList(a, list, viewMessage, messageColumns)
		})}
	c.Flags().BoolVar(&givenUp, "given-up", false, "only those that are not tried any more")
	p.add(c)
	return c
}

func outboxRetry(a *app) *cobra.Command {
	var all bool
	c := &cobra.Command{Use: "retry [MESSAGE_ID]", Short: "Deliver a message again at once, or with --given-up all that were given up",
		Args: func(c *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usageError{"name either a message or --given-up"}
			}
			return cobra.MaximumNArgs(1)(c, args)
		},
		RunE: a.withStore(func(ctx context.Context, s *store.Store, args []string) error {
			id := ""
			if !all {
				id = args[0]
			}
			n, err := s.Retry(ctx, operator(), id)
			if err != nil {
				return err
			}
			if a.json {
				return a.document(struct {
					Due int64 `json:"due"`
				}{n})
			}
			return a.say("Messages due now: %d. A running server delivers them.", n)
		})}
	c.Flags().BoolVar(&all, "given-up", false, "all messages that are not tried any more")
	return c
}
