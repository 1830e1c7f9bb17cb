package keystone

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestChecks(t *testing.T) {
	Checking(t.Context(), "nobody collects") // and nothing happens
	Fact(t.Context(), "a", "b")

	var c Checks
	ctx := context.WithValue(t.Context(), ChecksKey{}, &c)
	Checking(ctx, "client")
	Checking(ctx, "scope")
	Fact(ctx, "asked", strings.Repeat("x", 10*maxFact))
	names, facts := c.Came()
	if !slices.Equal(names, []string{"client", "scope"}) || len(facts["asked"]) != maxFact+len("…") {
		t.Errorf("%q %q", names, facts)
	}
	for i := range 100 {
		Checking(ctx, "more")
		Fact(ctx, strconv.Itoa(i), "")
	}
	if names, facts := c.Came(); len(names) != len(c.names) || len(facts) != maxFacts {
		t.Errorf("%d checks, %d facts: not bounded", len(names), len(facts))
	}
}
