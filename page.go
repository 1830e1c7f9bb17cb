package keystone

// Page asks for one page of a list. Lists are read by keyset, never by offset:
// page 10,000 costs what page 1 costs.
type Page struct {
	Limit int    // 1 to MaxPage; 0 means DefaultPage
	After string // the Next of the page before; empty for the first
}

// Bounds of a page.
const (
	DefaultPage = 50
	MaxPage     = 200
)

// Size returns the number of items to read: Limit within its bounds.
func (p Page) Size() int {
	if p.Limit <= 0 {
		return DefaultPage
	}
	return min(p.Limit, MaxPage)
}

// List is one page of a list. Next is empty on the last one.
type List[T any] struct {
	Items []T
	Next  string
}
