package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func TestUsage(t *testing.T) {
	m := newMachine(t, "")
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "a command is missing"},
		{[]string{"user"}, "a command is missing after keystone user"},
		{[]string{"client", "secret"}, "a command is missing after keystone client secret"},
		{[]string{"nosuch"}, "there is no such command"},
		{[]string{"user", "nosuch"}, "there is no such command"},
		{[]string{"help", "nosuch"}, "there is no such command"},
		{[]string{"help", "user", "nosuch"}, "there is no such command"},
		{[]string{"help", "user", "list", "extra"}, "there is no such command"},
		{[]string{"user", "list", "--nosuch"}, "unknown flag: --nosuch"},
		{[]string{"user", "list", "extra"}, "unknown command"},
		{[]string{"user", "show"}, "accepts 1 arg(s), received 0"},
		{[]string{"user", "create"}, `required flag(s) "email", "username" not set`},
		{[]string{"session", "end"}, "name either a session or a user"},
		{[]string{"outbox", "retry"}, "name either a message or --given-up"},
		{[]string{"user", "create", "--password", "x"}, "unknown flag: --password"},
		{[]string{"client", "secret", "rotate", "x", "--overlap", "soon"}, "invalid argument"},
	} {
		m.usage(test.want, test.args...)
	}
	if r := m.run("", "user", "--help"); r.code != exitDone || !strings.Contains(r.out, "Available Commands") || r.err != "" {
		t.Errorf("help: %+v", r)
	}
	for _, args := range [][]string{{"help"}, {"help", "user"}, {"help", "user", "list"}, {"help", "help"}} {
		if r := m.run("", args...); r.code != exitDone || !strings.Contains(r.out, "Usage:") || r.err != "" {
			t.Errorf("%v: %+v", args, r)
		}
	}
}

// TestNothingSecretIsAnArgument: arguments are seen by everybody on the machine.
func TestNothingSecretIsAnArgument(t *testing.T) {
	for _, c := range leaves(root(&app{})) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			for _, word := range []string{"password", "secret", "token", "key"} {
				if strings.Contains(f.Name, word) && f.Value.Type() != "bool" && !strings.HasPrefix(f.Name, "access-token-") && !strings.HasSuffix(f.Name, "-alg") {
					t.Errorf("%s --%s takes a value that may be secret", c.CommandPath(), f.Name)
				}
			}
		})
	}
}

func TestEveryCommandSaysWhatItDoes(t *testing.T) {
	var look func(c *cobra.Command)
	look = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: its line in the help is %q", c.CommandPath(), c.Short)
		}
		for _, below := range c.Commands() {
			look(below)
		}
	}
	look(root(&app{}))
}
