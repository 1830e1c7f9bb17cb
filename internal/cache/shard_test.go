package cache

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// What is too old goes as something comes, so that a cache holds little more than what
// is young.
func TestWhatComesTakesTheOldAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSharded[string, *int](1, 10_000, time.Second, nil)
		for i := range 1000 {
			c.set("old "+strconv.Itoa(i), nil, c.age)
		}
		time.Sleep(time.Second)
		for i := range 1000 {
			c.set("new "+strconv.Itoa(i), nil, c.age)
			if n := c.len(); n > 1001 {
				t.Fatalf("%d held after %d came", n, i+1)
			}
		}
		for i := range 500 {
			c.set("newer "+strconv.Itoa(i), nil, c.age)
		}
		if n := c.len(); n > 1500 {
			t.Errorf("%d held of 1,500 that are young", n)
		}
	})
}
