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
	CheckingRest(ctx, "what is left")
	if names, _ := c.Came(); names[len(names)-1] != "what is left" {
		t.Errorf("%q", names)
	}
	Checking(ctx, "form") // which is more than what is left
	Checking(ctx, "word")
	if names, _ := c.Came(); !slices.Equal(names, []string{"client", "scope", "form", "word"}) {
		t.Errorf("%q", names)
	}
	for i := range 100 {
		Checking(ctx, "more")
		Fact(ctx, strconv.Itoa(i), "")
	}
	CheckingRest(ctx, "beyond")
	Checking(ctx, "beyond")
	if names, facts := c.Came(); len(names) != maxChecks || len(facts) != maxFacts {
		t.Errorf("%d checks, %d facts: not bounded", len(names), len(facts))
	}
}
