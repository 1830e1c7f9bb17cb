package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone/internal/config"
	"github.com/keystone-auth/keystone/internal/server"
)

// checkStatus is what a check came to.
type checkStatus string

const (
	statusOK   checkStatus = "ok"
	statusWarn checkStatus = "warn" // works, but should be known
	statusFail checkStatus = "fail" // does not work
)

// checkView is one line of the doctor's report.
type checkView struct {
	Check  string      `json:"check"`
	Status checkStatus `json:"status"`
	Says   string      `json:"says"` // what is, and what to do about it
}

var checkColumns = []column[checkView]{
	{name: "status", cell: func(c checkView) string { return string(c.Status) }},
	{name: "check", cell: func(c checkView) string { return c.Check }},
	{name: "says", cell: func(c checkView) string { return c.Says }},
}

// doctor collects what the checks came to. It leaves nothing behind: a check must not
// make a key, a file or a table that was not there.
type doctor struct {
	cfg    *config.Config
	report []checkView
}

func doctorCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "doctor", Short: "Check everything around the server, and say what to do", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var d doctor
			cfg, err := a.settings()
			if err != nil {
				for _, line := range refusals(err) {
					d.fail("settings", "%s", line)
				}
			} else {
				d.cfg = cfg
				d.examine(c.Context())
			}
			if err := printList(a, listOf(d.report), func(v checkView) checkView { return v }, checkColumns); err != nil {
				return err
			}
			if n := d.failures(); n > 0 {
				return fmt.Errorf("%d of %d checks failed", n, len(d.report))
			}
			return nil
		}}
}

// examine is every check, in the order in which one needs the other.
func (d *doctor) examine(ctx context.Context) {
	d.settings()
	d.files()
	d.disk()
	d.tlsFiles()
	d.database(ctx)
	d.redis()
	if d.listeners(ctx) {
		d.issuer(ctx)
	}
}

func (d *doctor) ok(check, format string, args ...any)   { d.add(check, statusOK, format, args) }
func (d *doctor) warn(check, format string, args ...any) { d.add(check, statusWarn, format, args) }
func (d *doctor) fail(check, format string, args ...any) { d.add(check, statusFail, format, args) }

func (d *doctor) add(check string, status checkStatus, format string, args []any) {
	d.report = append(d.report, checkView{check, status, oneLine(fmt.Sprintf(format, args...))})
}

func (d *doctor) failures() (n int) {
	for _, c := range d.report {
		if c.Status == statusFail {
			n++
		}
	}
	return n
}

func (d *doctor) settings() {
	if err := server.Check(d.cfg); err != nil {
		for _, line := range refusals(err) {
			d.fail("settings", "%s", line)
		}
		return
	}
	for _, w := range d.cfg.Warnings {
		d.warn("settings", "%s", w)
	}
	d.ok("settings", "Every setting is known and well formed.")
}
