package fetch

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/keystone-auth/keystone/internal/cache"
)

// How long answers are kept. A server's Cache-Control is heard between the two
// ends: a document that forbids caching must not make every sign-in a fetch.
const (
	usualAge   = 5 * time.Minute
	leastAge   = time.Minute
	mostAge    = time.Hour
	staleAge   = time.Hour        // how old a document may be while its server fails
	failedAge  = 30 * time.Second // a failure is not tried again before that
	refetchAge = 10 * time.Second // a good document is not fetched anew before that

	keptBytes = 32 << 20 // of documents in memory
	keptFails = 10_000
)

// Document is an answer to GET. Its Body is shared: readers must not change it.
type Document struct {
	Body        []byte
	ContentType string
	FetchedAt   time.Time
	MaxAge      time.Duration // of Cache-Control; 0: not said
}

type kept struct {
	doc   Document
	until time.Time
}

func newCaches() (cache.Cache[string, kept], cache.Cache[string, time.Time]) {
	docs := cache.Weighed(keptBytes, func(address string, k kept) int {
		return len(address) + len(k.doc.Body) + len(k.doc.ContentType) + 200 // bounded by maxBody and maxHeader
	})
	return docs, cache.Sized[string, time.Time](keptFails)
}

// call is a GET in flight that others wait for.
type call struct {
	done chan struct{}
	doc  Document
	err  error
}

// Get returns the document at an address, from memory where it is fresh. Callers
// that ask for the same at once share one request. The error is ErrFetch, kept
// for 30 seconds, or that of ctx. A document whose server has begun to fail is
// still given for up to an hour.
func (c *Client) Get(ctx context.Context, address string) (Document, error) {
	if k, ok := c.docs.GetIfPresent(address); ok && c.o.Now().Before(k.until) {
		return k.doc, nil
	}
	return c.fetch(ctx, address)
}

// Newer returns a document that is newer than seen where one can be had: a reader
// missed something in seen, such as a key. What anybody can make up must not make
// Keystone fetch as often as they like, so an address is asked every 10 seconds
// at most; in between, the answer is the document that is known.
func (c *Client) Newer(ctx context.Context, address string, seen Document) (Document, error) {
	now := c.o.Now()
	if k, ok := c.docs.GetIfPresent(address); ok && (k.doc.FetchedAt.After(seen.FetchedAt) || now.Sub(k.doc.FetchedAt) < refetchAge) {
		return k.doc, nil
	}
	return c.fetch(ctx, address)
}

// fetch asks the server, unless it failed a moment ago or somebody is asking.
func (c *Client) fetch(ctx context.Context, address string) (Document, error) {
	if failed, ok := c.fails.GetIfPresent(address); ok && c.o.Now().Sub(failed) < failedAge {
		return c.stale(address)
	}
	c.mu.Lock()
	running, ok := c.calls[address]
	if ok {
		c.mu.Unlock()
		select {
		case <-running.done:
			return running.doc, running.err
		case <-ctx.Done():
			return Document{}, ctx.Err()
		}
	}
	mine := &call{done: make(chan struct{}), err: ErrFetch}
	c.calls[address] = mine
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.calls, address)
		c.mu.Unlock()
		close(mine.done)
	}()
	// One caller's haste must not fail the others: the request has its own end.
	mine.doc, _, mine.err = c.request(context.WithoutCancel(ctx), http.MethodGet, address, nil, nil)
	if mine.err != nil {
		c.fails.Set(address, c.o.Now())
		mine.doc, mine.err = c.stale(address)
		return mine.doc, mine.err
	}
	c.fails.Invalidate(address)
	c.docs.Set(address, kept{mine.doc, c.o.Now().Add(age(mine.doc))})
	return mine.doc, nil
}

// stale is what there is when the server does not answer.
func (c *Client) stale(address string) (Document, error) {
	if k, ok := c.docs.GetIfPresent(address); ok && c.o.Now().Sub(k.doc.FetchedAt) < staleAge {
		return k.doc, nil
	}
	return Document{}, ErrFetch
}

func age(d Document) time.Duration {
	if d.MaxAge == 0 {
		return usualAge
	}
	return min(max(d.MaxAge, leastAge), mostAge)
}

// maxAge reads Cache-Control (RFC 9111 section 5.2.2): max-age, and no-store and
// no-cache as the shortest age there is.
func maxAge(h http.Header) time.Duration {
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return time.Nanosecond
		case "max-age":
			if n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
				return max(time.Duration(n)*time.Second, time.Nanosecond)
			}
		}
	}
	return 0
}
