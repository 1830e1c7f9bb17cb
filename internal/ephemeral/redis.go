package ephemeral

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/valkey-io/valkey-go"
)

const (
	answerTime  = 50 * time.Millisecond // what a request waits for Redis
	connectTime = time.Second           // what a connection may take, off the requests' path
	retryTime   = 2 * time.Second       // between probes of a lost Redis
	maxInFlight = 1000                  // below the client's queue of 1024, where callers would wait without a bound
)

// script is gcra for one key, on the server's clock. It returns that clock and
// the tat before; the caller works out the rest. ARGV: interval, count, cost,
// and in tests the time. Numbers are doubles and exact below 2^53; %.0f because
// Lua would write them as 1.7e+15.
const script = `
local interval, count, cost, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
if not now then
  local t = redis.call('TIME')
  now = t[1] * 1000000 + t[2]
end
local most = now + interval * count
local stored = tonumber(redis.call('GET', KEYS[1]) or now) or now
local tat = math.min(math.max(stored, now), most)
local after = tat + interval * cost
if after > most then
  after = tat
end
if after <= now then
  redis.call('DEL', KEYS[1])
elseif after ~= stored then
  redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
end
return {now, tat}
`

// redis counts for all nodes. While it is up requests use it; the first error
// or late answer takes it down, and one goroutine probes until it is well. So
// a request waits for a sick Redis once, and never for a connection.
type redis struct {
	option valkey.ClientOption
	script *valkey.Lua
	prefix string
	retry  time.Duration
	log    *slog.Logger
	now    func() int64 // microseconds; nil: the server's clock

	up     atomic.Bool
	client atomic.Pointer[valkey.Client]
	flying atomic.Int64
	failed chan error // why it was taken down
	first  chan struct{}
	stop   chan struct{}
	done   chan struct{}
}

func newRedis(o Options) (*redis, error) {
	option, err := valkey.ParseURL(o.RedisURL)
	if err != nil {
		return nil, err
	}
	if o.RedisPassword != "" {
		option.Password = o.RedisPassword
	}
	option.Dialer.Timeout = connectTime
	option.ConnWriteTimeout = connectTime
	option.ClientName = "keystone"
	option.DisableRetry = true   // the circuit decides
	option.DisableCache = true   // 128 MiB for each connection, for nothing
	option.PipelineMultiplex = 1 // one or few connections: callers share a pipeline
	option.ReadBufferEachConn = 16 << 10
	option.WriteBufferEachConn = 16 << 10
	if len(option.InitAddress) == 1 {
		option.PipelineMultiplex = -1 // exactly one, so that one probe shows that all is well
	}
	r := &redis{
		option: option, script: valkey.NewLuaScript(script), prefix: o.Prefix, retry: o.retry, log: o.Log,
		failed: make(chan error, 1), first: make(chan struct{}), stop: make(chan struct{}), done: make(chan struct{}),
	}
	if r.prefix == "" {
		r.prefix = "keystone:limit:"
	}
	if r.retry == 0 {
		r.retry = retryTime
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	return r, nil
}

// Probe connects to the Redis of o and counts once, as a Limiter would, and says
// what went wrong. It is for programs that examine a set-up.
func Probe(o Options) error {
	r, err := newRedis(o)
	if err != nil {
		return errURL
	}
	err = r.probe()
	if client := r.client.Load(); client != nil {
		(*client).Close()
	}
	return err
}

// start connects in the background and waits for it only a moment.
func (r *redis) start() {
	go r.run()
	late := time.NewTimer(answerTime)
	defer late.Stop()
	select {
	case <-r.first:
	case <-late.C:
	}
}

var errBusy = errors.New("too many requests wait for Redis")

func (r *redis) take(ctx context.Context, key string, rate Rate, cost int) (Decision, error) {
	if r.flying.Add(1) > maxInFlight {
		r.flying.Add(-1)
		return Decision{}, errBusy // this one is decided here; Redis may be well
	}
	defer r.flying.Add(-1)
	d, err := r.ask(ctx, answerTime, key, rate, cost)
	if err != nil && r.up.CompareAndSwap(true, false) {
		r.failed <- err // has room: only run sets up, after it has emptied the channel
	}
	return d, err
}

// ask runs the script. A caller that goes away does not cut it short: the
// client would close the connection that all others use.
func (r *redis) ask(ctx context.Context, wait time.Duration, key string, rate Rate, cost int) (Decision, error) {
	client := r.client.Load()
	if client == nil {
		return Decision{}, errors.New("not connected to Redis yet")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait)
	defer cancel()
	args := []string{
		strconv.FormatInt(rate.interval(), 10), strconv.Itoa(rate.Count), strconv.Itoa(min(cost, rate.Count)), "",
	}
	if r.now != nil {
		args[3] = strconv.FormatInt(r.now(), 10)
	}
	answer, err := r.script.Exec(ctx, *client, []string{r.name(key)}, args).AsIntSlice()
	if err != nil {
		return Decision{}, err
	}
	if len(answer) != 2 {
		return Decision{}, errors.New("Redis answered something else than the script returns")
	}
	_, d := gcra(answer[0], answer[1], rate, cost)
	return d, nil
}

// name is the key in Redis: hashed, because keys hold user names and addresses
// and may be long.
func (r *redis) name(key string) string {
	sum := sha256.Sum256([]byte(key))
	return r.prefix + base64.RawURLEncoding.EncodeToString(sum[:16])
}

// run is the only one to set up. It probes at once, and after each failure
// until Redis is well again.
func (r *redis) run() {
	defer close(r.done)
	wait := time.NewTimer(0)
	defer wait.Stop()
	tried, lost := false, false
	for {
		select {
		case <-r.stop:
			return
		case <-wait.C:
		}
		err := r.probe()
		if err == nil {
			if lost {
				r.log.Info("Redis answers again: rate limits are shared between nodes.")
			}
			r.up.Store(true)
		}
		if !tried {
			tried = true
			close(r.first)
		}
		if err == nil {
			lost = false
			select {
			case <-r.stop:
				return
			case err = <-r.failed:
			}
		}
		if !lost {
			lost = true
			r.log.Warn("Redis does not answer: this node counts rate limits alone.", "error", err.Error())
		}
		wait.Reset(r.retry)
	}
}

// probe connects if need be and reports whether Redis writes and answers in
// time. The first question may wait for a connection, the second may not.
func (r *redis) probe() error {
	if r.client.Load() == nil {
		client, err := valkey.NewClient(r.option)
		if err != nil {
			if client != nil {
				client.Close()
			}
			return err
		}
		r.client.Store(&client)
	}
	probe := Rate{Count: 1000, Per: time.Second}
	if _, err := r.ask(context.Background(), connectTime, "probe", probe, 1); err != nil {
		return err
	}
	_, err := r.ask(context.Background(), answerTime, "probe", probe, 1)
	return err
}

func (r *redis) close() {
	close(r.stop)
	<-r.done
	r.up.Store(false)
	if client := r.client.Load(); client != nil {
		(*client).Close()
	}
}
