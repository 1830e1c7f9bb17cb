package main

import (
	"context"
	"fmt"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/password"
	"github.com/keystone-auth/keystone/internal/server"
	"github.com/keystone-auth/keystone/internal/store"
)

// importUser is a person in a file. password, password_hash and email_verified count
// when they are made: a password that is there is its owner's.
type importUser struct {
	Username      string    `json:"username"`
	Email         string    `json:"email"`
	EmailVerified bool      `json:"email_verified"`
	FirstName     *string   `json:"first_name"`
	LastName      *string   `json:"last_name"`
	Enabled       *bool     `json:"enabled"`
	Roles         *[]string `json:"roles"`
	Password      string    `json:"password"`      // left out: one is made and shown this once
	PasswordHash  string    `json:"password_hash"` // instead: a hash that another program made
}

// person is a user of a file, with the hash of the password where they are new.
// Hashing takes long, so it is done before the transaction.
type person struct {
	importUser
	hash string
	made string // the password, where it was made here
}

func (a *app) takePeople(ctx context.Context, d database, users []importUser) (people []person, err error) {
	policy, err := server.Policy(d.cfg)
	if err != nil {
		return nil, err
	}
	hasher, err := password.New(password.Options{Slots: d.cfg.HashSlots})
	if err != nil {
		return nil, err
	}
	for _, u := range users {
		p := person{importUser: u}
		_, err := d.FindUser(ctx, u.Username)
		if err == nil {
			people = append(people, p)
			continue
		}
		if keystone.KindOf(err) != keystone.NotFound {
			return nil, fmt.Errorf("user %q: %w", u.Username, err)
		}
		whose := keystone.User{Username: u.Username, Email: u.Email, FirstName: orEmpty(u.FirstName), LastName: orEmpty(u.LastName)}
		value := u.Password
		if u.PasswordHash != "" {
			if value != "" {
				return nil, fmt.Errorf("user %q: give password or password_hash, not both", u.Username)
			}
			if err := password.CheckImported(u.PasswordHash); err != nil {
				return nil, fmt.Errorf("user %q: %w", u.Username, err)
			}
			p.hash = u.PasswordHash
			people = append(people, p)
			continue
		}
		if value == "" {
			if p.made, err = generatePassword(policy, whose); err != nil {
				return nil, err
			}
			value = p.made
		} else if err := policy.Check(value, whose); err != nil {
			return nil, fmt.Errorf("user %q: %w", u.Username, err)
		}
		if p.hash, err = hasher.Hash(ctx, value); err != nil {
			return nil, err
		}
		people = append(people, p)
	}
	return people, nil
}

func (p person) write(ctx context.Context, tx *store.Store) (imported, error) {
	if p.hash != "" {
		u := keystone.User{Username: p.Username, Email: p.Email, EmailVerified: p.EmailVerified, FirstName: orEmpty(p.FirstName), LastName: orEmpty(p.LastName),
			Enabled: p.Enabled == nil || *p.Enabled, Roles: []string{keystone.RoleUser}}
		if p.Roles != nil {
			u.Roles = *p.Roles
		}
		u, err := tx.CreateUser(ctx, operator(), u, p.hash)
		return imported{ID: u.ID, Result: importCreated, Password: p.made}, err
	}
	before, err := tx.FindUser(ctx, p.Username)
	if err != nil {
		return imported{}, err
	}
	one := imported{ID: before.ID, Result: importUnchanged}
	patch := keystone.UserPatch{FirstName: p.FirstName, LastName: p.LastName, Enabled: p.Enabled}
	if p.Email != "" {
		patch.Email = &p.Email
	}
	if after := patch.Apply(before); after.Email != before.Email || after.FirstName != before.FirstName || after.LastName != before.LastName || after.Enabled != before.Enabled {
		one.Result = importChanged
		if _, err := tx.UpdateUser(ctx, operator(), before.ID, 0, patch); err != nil {
			return one, err
		}
	}
	if p.Roles != nil && !sameSet(*p.Roles, before.Roles) {
		one.Result = importChanged
		if _, err := tx.SetUserRoles(ctx, operator(), before.ID, 0, *p.Roles); err != nil {
			return one, err
		}
	}
	return one, nil
}
