package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone/internal/store"
)

// auditReportView is what a check of the trail found, for scripts.
type auditReportView struct {
	OK       bool               `json:"ok"`
	Rows     int64              `json:"rows"`
	Seals    int64              `json:"seals"`
	Unsealed int64              `json:"unsealed"`
	Late     int64              `json:"late"`      // rows that were sealed more than ten minutes after they were written
	LateFrom int64              `json:"late_from"` // the first of them; 0: none
	Head     string             `json:"head"`
	Findings []auditFindingView `json:"findings"`
}

type auditFindingView struct {
	Seal int64  `json:"seal"`
	Seq  int64  `json:"seq"` // 0: the seal itself
	What string `json:"what"`
}

func auditVerify(a *app) *cobra.Command {
	var expect string
	c := &cobra.Command{Use: "verify", Short: "Check every seal and every sealed row of the trail", Args: cobra.NoArgs,
		Long: `Check every seal and every sealed row of the trail against the master key.

A row that was changed, removed or inserted behind Keystone's back is found,
and the exit code is 1; so are seals that were taken away. Keep the head that is
printed somewhere else: given to --expect later, it shows too whether somebody put
back a whole older state. Rows behind the last seal (a few seconds' worth) are not
covered yet. Those that were sealed late, more than ten minutes after they were
written, were not covered until then: a few are when a server stops, or a command
writes without one; while a server runs, none.`,
		RunE: a.withStore(func(ctx context.Context, s *store.Store, _ []string) error {
			r, err := s.VerifyAudit(ctx, expect)
			if err != nil {
				return err
			}
			if err := printAuditReport(a, r); err != nil {
				return err
			}
			if len(r.Findings) > 0 {
				first := r.Findings[0]
				return fmt.Errorf("the audit trail does not hold: %d findings, the first: %s at seq %d, seal %d", len(r.Findings), first.What, first.Seq, first.Seal)
			}
			return nil
		})}
	c.Flags().StringVar(&expect, "expect", "", "head of an earlier check, which must still be in the chain")
	return c
}

func printAuditReport(a *app, r store.AuditReport) error {
	v := auditReportView{OK: len(r.Findings) == 0, Rows: r.Rows, Seals: r.Seals, Unsealed: r.Unsealed, Late: r.Late, LateFrom: r.LateFrom, Head: r.Head, Findings: []auditFindingView{}}
	for _, f := range r.Findings {
		v.Findings = append(v.Findings, auditFindingView{Seal: f.Seal, Seq: f.Seq, What: f.What})
	}
	if a.json {
		return a.document(v)
	}
	late := number(v.Late)
	if v.Late > 0 {
		late += " (from seq " + number(v.LateFrom) + ")"
	}
	w := a.table()
	for _, line := range [][2]string{
		{"rows:", number(v.Rows)}, {"seals:", number(v.Seals)}, {"unsealed:", number(v.Unsealed)}, {"sealed late:", late}, {"head:", v.Head},
		{"findings:", strconv.Itoa(len(v.Findings))},
	} {
		w.cell(0, line[0])
		w.cell(1, line[1])
		w.end()
	}
	if len(v.Findings) > 0 {
		for i, name := range []string{"SEAL", "SEQ", "FINDING"} {
			w.cell(i, name)
		}
		w.end()
	}
	for _, f := range v.Findings {
		w.cell(0, number(f.Seal))
		w.cell(1, number(f.Seq))
		w.cell(2, f.What)
		w.end()
	}
	return w.flush()
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
