package server

import (
	"io"
	"log/slog"
	"sync"
	"time"
)

// LogWriter is where the process logs to. Lines of the access log may wait in it
// for logDelay while requests come fast, so that a thousand of them are not a
// thousand writes; every other line, and an access line that tells of a fault,
// takes those that wait along and is written at once. A crash can lose what has
// waited for less than logDelay: access lines only, never an audit row.
type LogWriter struct {
	delay time.Duration // 0: nothing waits

	mu      sync.Mutex
	w       io.Writer
	waiting []byte
	written time.Time   // of the last write
	timer   *time.Timer // nil: nothing has waited yet
}

const (
	logDelay = 100 * time.Millisecond
	logMost  = 32 << 10 // bytes that wait
)

// NewLogWriter returns a writer before w. Flush it in the end.
func NewLogWriter(w io.Writer) *LogWriter { return &LogWriter{w: w, delay: logDelay} }

// Write writes one line at once, after those that wait.
func (l *LogWriter) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) > 0 {
		l.waiting = append(l.waiting, line...)
		return len(line), l.flush()
	}
	return l.w.Write(line)
}

// access takes one line of the access log: it is written at once where it tells
// of a fault, or where the last write was so long ago that a quiet log would not
// be up to date; else within logDelay.
func (l *LogWriter) access(line *accessLine, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := len(l.waiting) == 0
	l.waiting = line.appendJSON(l.waiting, now)
	switch {
	case line.level > slog.LevelInfo || len(l.waiting) >= logMost || now.Sub(l.written) >= l.delay:
		l.written = now
		_ = l.flush() // there is nowhere to tell
	case !first:
	case l.timer == nil:
		l.timer = time.AfterFunc(l.delay, l.Flush)
	default:
		l.timer.Reset(l.delay)
	}
}

// Flush writes what waits.
func (l *LogWriter) Flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) > 0 {
		l.written = time.Now()
		_ = l.flush()
	}
}

func (l *LogWriter) flush() error {
	_, err := l.w.Write(l.waiting)
	l.waiting = l.waiting[:0]
	return err
}
