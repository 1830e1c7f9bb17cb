package config

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/CONFIG.md and .env.example again")

func TestGoldenDocuments(t *testing.T) {
	for path, want := range map[string][]byte{
		"../../docs/CONFIG.md": document(),
		"../../.env.example":   exampleFile(),
	} {
		if *update {
			if err := os.MkdirAll("../../docs", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s does not fit the settings (%v): run make docs", path, err)
		}
	}
}

// The example file is a working one, as it is and with every line in force.
func TestExampleFileLoads(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) Options {
		if err := os.WriteFile(dir+"/.env", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return Options{Dir: dir}
	}
	text := string(exampleFile())
	if c, err := Load(write(text)); err != nil || len(c.origins) != 0 {
		t.Fatalf("as it is: %v", err)
	}

	var lines []string
	for _, line := range strings.Split(text, "\n") {
		if name, ok := strings.CutPrefix(line, "#"); ok && !strings.HasPrefix(name, " ") && name != "" {
			lines = append(lines, name)
		}
	}
	all := strings.NewReplacer(
		"JWT_SECRET_KEY=$(openssl rand -base64 48)", "JWT_SECRET_KEY="+randomKey+randomKey,
		"MASTER_KEY=$(openssl rand -base64 32)", "MASTER_KEY="+randomKey,
		"REDIS_PASSWORD=PASSWORD", "REDIS_PASSWORD=wJ5-kq",
		"BOOTSTRAP_ADMIN_PASSWORD=PASSWORD", "BOOTSTRAP_ADMIN_PASSWORD=wJ5-kq-long-enough",
	).Replace(strings.Join(lines, "\n"))
	c, err := Load(write(all))
	if err != nil {
		t.Fatalf("every line in force: %v", err)
	}
	if len(c.origins) != len(fields()) {
		t.Errorf("%d of %d settings are in the file", len(c.origins), len(fields()))
	}
}

func document() []byte {
	var b bytes.Buffer
	b.WriteString(`<!-- Generated from internal/config. Change it there, then run: make docs -->
# Settings

Keystone starts without any. A setting comes from, each later one winning:

1. the default below,
2. ` + "`.env`" + ` in the working folder, or the file named by ` + "`--config`" + ` instead,
3. the environment.

- Each name may be written ` + "`KEYSTONE_NAME`" + ` too, which wins over ` + "`NAME`" + ` beside it.
- A secret (marked 🔒) may be the content of a file instead: ` + "`NAME_FILE=/run/secrets/name`" + `. Setting both is refused.
- An empty value is the same as none.
- Unknown names in a file, and unknown ` + "`KEYSTONE_`" + ` names in the environment, are refused.
- Lists are written with commas (` + "`a,b`" + `) or as JSON (` + "`[\"a\",\"b\"]`" + `); ` + "`[]`" + ` is the empty one.
- A rate is a number, a slash and ` + "`second`, `minute`, `hour` or `day`" + `; ` + "`off`" + ` is no limit. Truth is ` + "`true`/`false`, `yes`/`no`, `on`/`off` or `1`/`0`" + `.
- In a file, a value ends before ` + "` #`" + `; in ` + "`'…'`" + ` everything is literal, in ` + "`\"…\"`" + ` ` + "`\\n`, `\\t`, `\\\"` and `\\\\`" + ` are replaced. Nothing is expanded.

` + "`keystone config check`" + ` reads everything and says all that is wrong; ` + "`keystone config show`" + ` prints what is in force and where it is from, without secrets.
`)
	group := ""
	for _, f := range fields() {
		if f.group != group {
			group = f.group
			fmt.Fprintf(&b, "\n## %s\n\n| setting | default | meaning |\n|---|---|---|\n", group)
		}
		name, def := "`"+f.name+"`", "`"+strings.ReplaceAll(f.def, ",", ", ")+"`"
		if f.secret {
			name += " 🔒"
		}
		switch {
		case f.def == "" && f.auto == "":
			def = ""
		case f.def == "":
			def = f.auto
		}
		fmt.Fprintf(&b, "| %s | %s | %s%s Example: `%s` |\n", name, def, cell(f.help), bounds(f), cell(f.example))
	}
	return b.Bytes()
}

func bounds(f field) string {
	switch {
	case f.oneof != nil:
		return " One of `" + strings.Join(f.oneof, "`, `") + "`."
	case f.min != "":
		return fmt.Sprintf(" From %s to %s.", f.min, f.max)
	}
	return ""
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func exampleFile() []byte {
	var b bytes.Buffer
	b.WriteString(`# Settings of Keystone, with examples. Copy to .env and remove the # before what
# you set. None is needed to try it. docs/CONFIG.md has the rules.
# Generated from internal/config; change it there, then run: make docs
`)
	group := ""
	for _, f := range fields() {
		if f.group != group {
			group = f.group
			fmt.Fprintf(&b, "\n# --- %s ---\n", group)
		}
		b.WriteString("\n")
		def := f.def
		if def == "" {
			def = f.auto
		}
		help := f.help + bounds(f)
		if def != "" {
			help += " Default: " + def
		}
		for _, line := range wrap(strings.ReplaceAll(help, "`", ""), 98) {
			fmt.Fprintf(&b, "# %s\n", line)
		}
		fmt.Fprintf(&b, "#%s=%s\n", f.name, f.example)
	}
	return b.Bytes()
}

func wrap(s string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
