package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/config"
)

// Exit codes. Scripts rely on them.
const (
	exitDone    = 0
	exitRefused = 1 // one line on standard error says why
	exitUsage   = 2 // the command line itself is wrong
)

// app is one run of the program: its streams, and what the flags say that every
// command takes.
type app struct {
	in         io.Reader
	out, err   io.Writer
	json       bool   // one JSON document on standard output instead of a table
	configFile string // --config
}

// root is the whole tree of commands.
func root(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:           "keystone",
		Short:         "Keystone signs people and services in, and says what they may do",
		SilenceErrors: true, // execute prints them
		SilenceUsage:  true,
	}
	c.PersistentFlags().BoolVar(&a.json, "json", false, "print one JSON document instead of a table")
	c.PersistentFlags().StringVar(&a.configFile, "config", "", "file of settings, NAME=value lines; the environment wins over it (default: .env, where there is one)")
	c.CompletionOptions.HiddenDefaultCmd = true
	c.AddCommand(
		serveCommand(a), migrateCommand(a), setupLinkCommand(a),
		userCommand(a), roleCommand(a), scopeCommand(a), clientCommand(a), sessionCommand(a), keyCommand(a), auditCommand(a), explainCommand(a), outboxCommand(a),
		importCommand(a), configCommand(a), routesCommand(a), doctorCommand(a), healthCommand(a), versionCommand(a),
	)
	return c
}

// helpOn serves keystone help. A command that does not exist is usage, as everywhere.
func helpOn(c *cobra.Command, args []string) error {
	on, rest, err := c.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return usageError{"there is no such command"}
	}
	on.InitDefaultHelpFlag()
	return on.Help()
}

// group is a command that only has others below it.
func group(use, short string, below ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short}
	c.AddCommand(below...)
	return c
}

// usageError is a command line that cannot be right.
type usageError struct{ msg string }

func (e usageError) Error() string { return e.msg }

// execute runs the command that args name and returns the exit code.
func execute(ctx context.Context, a *app, args []string) int {
	c := root(a)
	c.SetIn(a.in)
	c.SetOut(a.out)
	c.SetErr(a.err)
	c.SetArgs(args)
	ran := false
	prepare(c, &ran)
	c.InitDefaultHelpCmd()
	if help, _, err := c.Find([]string{"help"}); err == nil {
		help.Run, help.RunE = nil, helpOn
	}
	found, err := c.ExecuteContextC(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errSaid):
		return exitRefused
	case !ran || errors.As(err, &usage):
		_, _ = fmt.Fprintf(a.err, "keystone: %s (see: %s --help)\n", oneLine(err.Error()), found.CommandPath())
		return exitUsage
	}
	for _, line := range refusals(err) {
		_, _ = fmt.Fprintf(a.err, "keystone: %s\n", line)
	}
	return exitRefused
}

// prepare makes every command say whether it ran, because what fails before
// that is usage, and makes a group without a command below it usage too.
func prepare(c *cobra.Command, ran *bool) {
	for _, below := range c.Commands() {
		prepare(below, ran)
	}
	if c.RunE == nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{"there is no such command"}
			}
			return usageError{"a command is missing after " + c.CommandPath()}
		}
		c.Args = cobra.ArbitraryArgs
		return
	}
	run := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		*ran = true
		return run(c, args)
	}
}

// errSaid ends a command with exit code 1 that has already said why.
var errSaid = errors.New("refused, as said above")

// refusals is one line for an error, but a line for each setting that is wrong.
func refusals(err error) []string {
	var settings config.Problems
	if !errors.As(err, &settings) {
		return []string{refusal(err)}
	}
	lines := make([]string, len(settings))
	for i, p := range settings {
		lines[i] = oneLine(p.String())
	}
	return lines
}

// refusal is an error as one line for the operator. The operator holds the
// database, so unlike a client they see the cause.
func refusal(err error) string {
	var e *keystone.Error
	if !errors.As(err, &e) {
		return oneLine(err.Error())
	}
	// What wraps the refusal says where it was; its own text is only the log's.
	where, found := strings.CutSuffix(err.Error(), e.Error())
	if !found {
		where = ""
	}
	said := where + e.Msg
	if len(e.Fields) > 0 {
		var why []string
		for _, name := range sortedKeys(e.Fields) {
			why = append(why, name+": "+e.Fields[name])
		}
		said = where + strings.Join(why, " ")
	}
	if e.Err != nil {
		said += " (" + e.Err.Error() + ")"
	}
	return oneLine(said)
}

// oneLine puts a text of several lines on one, saying each of them once.
func oneLine(s string) string {
	var b strings.Builder
	said := map[string]bool{}
	for line := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = strings.TrimSpace(line); line == "" || said[line] {
			continue
		}
		said[line] = true
		switch text := b.String(); {
		case text == "":
		case strings.HasSuffix(text, ":"):
			b.WriteByte(' ')
		default:
			b.WriteString("; ")
		}
		b.WriteString(line)
	}
	return b.String()
}
