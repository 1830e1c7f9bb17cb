package ephemeral

import "time"

// Rate is a limit: Count in each Per, all of them at once if the caller likes.
// A Rate without Count or Per is no limit.
type Rate struct {
	Count int
	Per   time.Duration
}

// Off reports whether the rate limits nothing.
func (r Rate) Off() bool { return r.Count <= 0 || r.Per <= 0 }

// Decision is the answer of a limiter. The numbers are those of the RateLimit
// header fields; all durations are zero or more.
type Decision struct {
	Allowed    bool
	Limit      int           // Count of the rate; 0: there is no limit
	Remaining  int           // how many more are allowed right now
	RetryAfter time.Duration // until the same request is allowed; 0 if it is
	ResetAfter time.Duration // until all of Limit are allowed again
}

// interval is the time in microseconds in which one unit comes back. Both
// limiters count in whole microseconds, because a double, which is all that
// Redis scripts have, holds the present time exactly in no smaller unit.
func (r Rate) interval() int64 {
	return max(1, r.Per.Microseconds()/int64(r.Count))
}

// gcra is the generic cell rate algorithm (ITU-T I.371): one number for each
// key, tat, the time at which all units will be back. A request moves it by one
// interval for each unit and is allowed as long as it is not further away than
// the whole Count. Nothing has to be counted down and no window has an edge at
// which twice the Count would pass.
//
// cost 0 only looks: it is allowed if a cost of 1 would be. A negative cost
// gives units back. A cost above Count counts as Count. The script in redis.go
// takes the same steps; the rest of a decision is worked out here for both.
func gcra(now, tat int64, rate Rate, cost int) (next int64, d Decision) {
	interval := rate.interval()
	most := now + interval*int64(rate.Count)
	// Above: the clock went back, or the rate was made tighter.
	tat = min(max(tat, now), most)
	next = tat + interval*int64(min(cost, rate.Count))
	need := next
	if cost == 0 {
		need += interval
	}
	d = Decision{Allowed: need <= most || cost < 0, Limit: rate.Count}
	if !d.Allowed {
		next = tat
		d.RetryAfter = micros(need - most)
	}
	next = max(next, now)
	d.Remaining = int((most - next) / interval)
	d.ResetAfter = micros(next - now)
	return next, d
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
