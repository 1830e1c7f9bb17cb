package store

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/keystone-auth/keystone"
)

// Users lists users by id, which is by age, or, where search is not empty, by
// the term that starts with it. Both are index ranges with a keyset: page
// 10,000 of a million costs what page 1 costs.
func (s *Store) Users(ctx context.Context, search string, p keystone.Page) (keystone.List[keystone.User], error) {
	list, err := s.userPage(ctx, search, p)
	if err != nil {
		return list, s.fail("list users", err)
	}
	return list, s.fail("list users", s.fillRoles(ctx, list.Items))
}

func (s *Store) userPage(ctx context.Context, search string, p keystone.Page) (keystone.List[keystone.User], error) {
	if search = searchTerm(search); search == "" {
		users, err := all(ctx, s, scanUser, `SELECT `+userColumns+` FROM users u WHERE u.id > $1 ORDER BY u.id LIMIT $2`, p.After, p.Size()+1)
		if err != nil {
			return keystone.List[keystone.User]{}, err
		}
		return page(users, p.Size(), func(u keystone.User) string { return u.ID }), nil
	}
	term, after, _ := strings.Cut(p.After, "\x1f") // last term and id of the page before
	if p.After != "" && !keystone.IsID(after) {
		return keystone.List[keystone.User]{}, errCursor
	}
	low, high := prefixRange(search)
	if p.After == "" {
		term = low // where the index range begins, not at the beginning of the index
	}
	type hit struct {
		user keystone.User
		term string
	}
	// A user is listed under the smallest of their terms that fits, so nobody is
	// listed twice: the term before it does not fit.
	hits, err := all(ctx, s, func(scan func(...any) error) (h hit, err error) {
		h.user, err = scanUser(func(dest ...any) error { return scan(append(dest, &h.term)...) })
		return h, err
	}, `SELECT `+userColumns+`, t.term FROM user_terms t JOIN users u ON u.id = t.user_id
		WHERE t.term >= $1 AND t.term < $2 AND (t.term, t.user_id) > ($3, $4)
			AND (t.before < $1 OR t.before IS NULL AND NOT EXISTS (SELECT 1 FROM user_terms o WHERE o.user_id = t.user_id AND o.term >= $1 AND o.term < t.term))
		ORDER BY t.term, t.user_id LIMIT $5`, low, high, term, after, p.Size()+1)
	if err != nil {
		return keystone.List[keystone.User]{}, err
	}
	cut := page(hits, p.Size(), func(h hit) string { return h.term + "\x1f" + h.user.ID })
	list := keystone.List[keystone.User]{Next: cut.Next}
	for _, h := range cut.Items {
		list.Items = append(list.Items, h.user)
	}
	return list, nil
}

// prefixRange returns the range [low, high) of all strings that start with
// prefix, compared by byte. No pattern is involved, so nothing needs escaping.
func prefixRange(prefix string) (low, high string) {
	return prefix, prefix + "\U0010FFFF"
}

// fillRoles reads the roles of many users in one query.
func (s *Store) fillRoles(ctx context.Context, users []keystone.User) error {
	if len(users) == 0 {
		return nil
	}
	index := make(map[string]int, len(users))
	args := make([]any, 0, 2*len(users))
	for i := range users {
		index[users[i].ID], args = i, append(args, users[i].ID)
		users[i].Roles = []string{}
	}
	for n := len(args); n&(n-1) != 0; n++ { // few lengths are few statements, which are prepared once
		args = append(args, args[0])
	}
	type pair struct{ user, role string }
	pairs, err := all(ctx, s, func(scan func(...any) error) (p pair, err error) { return p, scan(&p.user, &p.role) },
		`SELECT ur.user_id, r.name FROM user_roles ur JOIN roles r ON r.id = ur.role_id WHERE ur.user_id IN (`+placeholders(1, len(args))+`) ORDER BY r.name`, args...)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		u := &users[index[p.user]]
		u.Roles = append(u.Roles, p.role)
	}
	return nil
}

// maxTerm bounds what people are found by, in bytes: a name can be eighteen times as
// long when it is folded, and both an index and a cursor have to hold it.
const maxTerm = 200

// searchTerm is a name, or the beginning of one, as it is searched for.
func searchTerm(s string) string {
	return clipped(keystone.FoldTerm(s), maxTerm)
}

// clipped is the beginning of a text, of at most so many bytes and whole characters.
func clipped(s string, most int) string {
	for n := min(len(s), most); ; n-- {
		if n == len(s) || utf8.RuneStart(s[n]) {
			return s[:n]
		}
	}
}

// writeTerms replaces what the user is found by.
func (s *Store) writeTerms(ctx context.Context, u keystone.User) error {
	if _, err := s.q.exec(ctx, `DELETE FROM user_terms WHERE user_id = $1`, u.ID); err != nil {
		return err
	}
	before := ""
	for _, term := range keystone.SortedSet([]string{
		searchTerm(u.Username), searchTerm(u.Email), searchTerm(u.FirstName), searchTerm(u.LastName), searchTerm(u.FirstName + " " + u.LastName),
	}) {
		if term == "" {
			continue
		}
		if _, err := s.q.exec(ctx, `INSERT INTO user_terms (term, before, user_id) VALUES ($1, $2, $3)`, term, before, u.ID); err != nil {
			return err
		}
		before = term
	}
	return nil
}
