package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
)

// given returns the value of a flag that stands on the command line, else nil:
// an empty value is a value.
func given[T any](c *cobra.Command, flag string, value *T) *T {
	if c.Flags().Changed(flag) {
		return value
	}
	return nil
}

// required makes flags ones that must be given.
func required(c *cobra.Command, flags ...string) {
	for _, f := range flags {
		if err := c.MarkFlagRequired(f); err != nil {
			panic(err) // there is no such flag: a mistake here, not on the command line
		}
	}
}

// withoutEmpty leaves out empty values: --scope "" is the empty list.
func withoutEmpty(list []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == "" })
}

// setFlags changes a set of names: --set for all of it, --add and --remove for
// parts.
type setFlags struct {
	set, added, removed []string
	clear               bool
}

func (f *setFlags) add(c *cobra.Command, what string) {
	c.Flags().StringArrayVar(&f.set, "set", nil, "a "+what+" to have, and no others than those named so (repeatable)")
	c.Flags().StringArrayVar(&f.added, "add", nil, "a "+what+" to add (repeatable)")
	c.Flags().StringArrayVar(&f.removed, "remove", nil, "a "+what+" to take away (repeatable)")
	c.Flags().BoolVar(&f.clear, "clear", false, "take all away")
	c.MarkFlagsMutuallyExclusive("set", "add")
	c.MarkFlagsMutuallyExclusive("set", "remove")
	for _, other := range []string{"set", "add", "remove"} {
		c.MarkFlagsMutuallyExclusive("clear", other)
	}
}

func (f *setFlags) given(c *cobra.Command) bool {
	return slices.ContainsFunc([]string{"set", "add", "remove", "clear"}, c.Flags().Changed)
}

// apply returns the set that comes of a present one.
func (f *setFlags) apply(c *cobra.Command, present []string) []string {
	switch {
	case f.clear:
		return []string{}
	case c.Flags().Changed("set"):
		return keystone.SortedSet(f.set)
	}
	all := keystone.SortedSet(append(slices.Clone(present), f.added...))
	return slices.DeleteFunc(all, func(n string) bool { return slices.Contains(f.removed, n) })
}
