// Command service is the backend of a merchant who checks people's occupations
// with Zhima: it signs the order string for Alipay's app, takes the platform's
// message, asks for the result, and keeps it, through crashes and deployments.
//
//	go run .                                            # with a test gateway: no account is needed
//	go run . -gateway https://openapi.alipay.com -service-id 2019… -db postgres://…
//
// With -gateway the keys are read from the ALIPAY_… variables.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipayotel"
	"github.com/seed-39a49030/alipay/alipaytest"
	"go.opentelemetry.io/otel/trace"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	addr, db, gatewayURL, serviceID, hosts string
	traces                                 bool
	timing                                 timing
}

// timing is how long things take and wait.
type timing struct {
	query     time.Duration // one question to Alipay, at most; half of a lease
	poll      time.Duration // the first pause while the result is WAITING_VERIFY, growing to 15 of it
	agreement time.Duration // between checks for an agreement whose message has not come
	user      time.Duration // the user's time to answer
	result    time.Duration // Alipay's time to have a result
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("service", flag.ContinueOnError)
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "address to listen on")
	flags.StringVar(&o.db, "db", "checks.db", "SQLite file, or postgres://… to share the work with other processes")
	flags.StringVar(&o.gatewayURL, "gateway", "", "base URL of the gateway, as https://openapi.alipay.com, with the keys in ALIPAY_… variables; empty starts one for a demonstration")
	flags.StringVar(&o.serviceID, "service-id", "2019120400000000000004450100", "credit service id (zm_service_id), assigned by Zhima")
	flags.StringVar(&o.hosts, "hosts", "localhost,127.0.0.1,[::1]", "host names, separated by commas, under which the pages may be asked for")
	flags.BoolVar(&o.traces, "traces", false, "write OpenTelemetry spans among the logs")
	flags.DurationVar(&o.timing.query, "query-timeout", 10*time.Second, "how long one question to Alipay may take; a process that says nothing for twice that long counts as dead")
	flags.DurationVar(&o.timing.poll, "poll", time.Second, "first pause between two questions for a result; grows to 15 times that")
	flags.DurationVar(&o.timing.agreement, "agreement-poll", time.Minute, "pause between looks for an agreement of which no message came")
	flags.DurationVar(&o.timing.user, "user-timeout", 30*time.Minute, "how long the user has to answer")
	flags.DurationVar(&o.timing.result, "result-timeout", 10*time.Minute, "how long a result may take after that")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return o, nil
}

// service is all that runs.
type service struct {
	options
	log     *slog.Logger
	client  *alipay.Client
	db      database
	metrics *prometheus.Registry
	tracer  trace.Tracer
	gateway *alipaytest.Gateway // nil with -gateway
}

// run serves until ctx ends, and then ends the steps in progress.
func run(ctx context.Context, args []string, logs io.Writer) (err error) {
	options, err := parse(args)
	if err != nil {
		return err
	}
	s := &service{options: options, log: slog.New(slog.NewJSONHandler(logs, nil)), metrics: prometheus.NewRegistry()}
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		return err
	}
	defer listener.Close()

	if s.gatewayURL == "" {
		s.gateway, err = alipaytest.StartGateway(alipaytest.WithMessagesTo("http://" + listener.Addr().String() + "/notifications"))
		if err != nil {
			return err
		}
		defer s.gateway.Close()
	}
	config, err := s.config()
	if err != nil {
		return err
	}
	spans, endSpans, err := tracerProvider(s.traces, logs)
	if err != nil {
		return err
	}
	s.tracer = spans.Tracer("service")
	s.client, err = alipay.NewClient(config, alipay.WithTimeout(s.timing.query), alipay.WithLogger(s.log),
		alipay.WithObserver(s.observer()), alipay.WithObserver(alipayotel.New(alipayotel.WithTracerProvider(spans))))
	if err != nil {
		return err
	}

	workers := river.NewWorkers()
	river.AddWorker(workers, &stepWorker{service: s})
	s.db, err = openDatabase(ctx, s.options.db, &river.Config{
		Logger:               slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Queues:               map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 50}},
		Workers:              workers,
		FetchPollInterval:    max(river.FetchCooldownDefault, min(s.timing.poll, river.FetchPollIntervalDefault)),
		JobTimeout:           s.lease(),
		RescueStuckJobsAfter: s.lease() + time.Minute, // takeOver is faster; this cleans up the old jobs
	})
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer s.db.close()
	if err := s.db.start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	// A new process may have new keys, and an earlier one may have left unfinished steps.
	if err := errors.Join(s.wakeAll(ctx, stateSealed), s.takeOver(ctx)); err != nil {
		return fmt.Errorf("database: %w", err)
	}

	server := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	s.log.Info("serving", "url", "http://"+listener.Addr().String()+"/", "gateway", cmp.Or(s.gatewayURL, "of its own"))
	err = s.tend(ctx, served)

	// Connections first, so that nothing new comes, then the steps in progress: one
	// query, and time to store its result.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timing.query+10*time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(ending), s.db.stop(ending), endSpans(ending))
}

// tend takes over the checks of dead processes, and reloads the keys at SIGHUP,
// until ctx ends.
func (s *service) tend(ctx context.Context, served <-chan error) error {
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	ticker := time.NewTicker(min(s.lease()/4, time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			s.log.Info("shutting down")
			return nil
		case err := <-served:
			return err
		case <-ticker.C:
			if err := s.takeOver(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("cannot look for steps that were not ended", "error", err)
			}
		case <-reload:
			err := s.reload(ctx)
			s.log.Info("keys reloaded", "error", err)
		}
	}
}

// config returns the test gateway's configuration, or that of the environment.
func (s *service) config() (alipay.AlipayConfig, error) {
	if s.gateway != nil {
		return s.gateway.Config(), nil
	}
	config, err := alipay.ConfigFromEnv()
	config.BaseURL = s.gatewayURL
	return config, err
}

// reload reads the keys again, and opens with them the answers that the old ones
// could not open. The environment of a process does not change, so rotate keys in
// files, named by the variables that end in _PATH.
func (s *service) reload(ctx context.Context) error {
	config, err := s.config()
	if err != nil {
		return err
	}
	if err := s.client.Reload(config); err != nil {
		return err
	}
	return s.wakeAll(ctx, stateSealed)
}

// hostAllowed prevents DNS rebinding: a page of another site, whose name resolves
// to this address, cannot read ours.
func (s *service) hostAllowed(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	for allowed := range strings.SplitSeq(s.hosts, ",") {
		if strings.EqualFold(strings.Trim(name, "[]"), strings.Trim(strings.TrimSpace(allowed), "[]")) {
			return true
		}
	}
	return false
}
