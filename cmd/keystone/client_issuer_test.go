package main

import "testing"

// TestIssuerFlags: what is written is what is read, and what is neither is refused.
func TestIssuerFlags(t *testing.T) {
	var w workloads
	var a assertionIssuers
	for _, good := range []string{
		"issuer=https://k8s.example,subject=system:serviceaccount:shop:billing",
		"issuer=https://ci.example,subject=repo:a/b:ref:refs/heads/main,audience=https://id.example,jwks_uri=https://ci.example/keys",
	} {
		w = nil
		if err := w.Set(good); err != nil || w.String() != good {
			t.Errorf("%s: %v, %s", good, err, w.String())
		}
	}
	for _, good := range []string{
		"issuer=https://idp.example,subject_is_user_id=true",
		"issuer=https://idp.example,jwks_uri=https://idp.example/keys,user=a=b=0199f3c8-0000-7000-8000-000000000001,user=c=0199f3c8-0000-7000-8000-000000000002,scope=openid,scope=profile",
	} {
		a = nil
		if err := a.Set(good); err != nil || a.String() != good {
			t.Errorf("%s: %v, %s", good, err, a.String())
		}
	}
	for _, bad := range []string{"x", "issuer=", "issuer=https://k8s.example,email=a@b.example", ","} {
		if w.Set(bad) == nil || a.Set(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	for _, bad := range []string{"issuer=https://idp.example,user=x", "issuer=https://idp.example,user==x", "issuer=https://idp.example,subject_is_user_id=yes"} {
		if a.Set(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if err := w.Set(""); err != nil || len(w) != 0 {
		t.Error("an empty value empties")
	}
}
