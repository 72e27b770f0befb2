// Command service is the backend of a merchant who checks people's occupations
// with Zhima. Package check carries each check through crashes and deployments;
// around it are HTTP, pages for operators, metrics, and keys that are reloaded.
//
//	service                                             # with a test gateway: no account is needed
//	service -gateway https://openapi.alipay.com -service-id 2019… -db postgres://…
//
// With -gateway the keys are read from the ALIPAY_… variables.
package main

import (
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
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
	"github.com/seed-39a49030/alipay/check"
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
	addr, notifyAddr, dbURL, rescueDir, gatewayURL, serviceID, hosts string
	timing                                                           check.Timing
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("service", flag.ContinueOnError)
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "address of the pages and the API, for operators and your own backend")
	flags.StringVar(&o.notifyAddr, "notify-addr", "127.0.0.1:8081", "address for Alipay's messages, which must be public: the application's gateway address (应用网关)")
	flags.StringVar(&o.dbURL, "db", "checks.db", "SQLite file, or postgres://… to share the work with other processes")
	flags.StringVar(&o.rescueDir, "rescue", ".", "directory for answers that could not be stored before the process ended; the next start stores them")
	flags.StringVar(&o.gatewayURL, "gateway", "", "base URL of the gateway, as https://openapi.alipay.com, with the keys in ALIPAY_… variables; empty starts one for a demonstration")
	flags.StringVar(&o.serviceID, "service-id", "2019120400000000000004450100", "credit service id (zm_service_id), assigned by Zhima")
	flags.StringVar(&o.hosts, "hosts", "localhost,127.0.0.1,::1", "host names, separated by commas, under which the pages may be asked for")
	flags.DurationVar(&o.timing.Query, "query-timeout", 15*time.Second, "how long one query may take; a process that says nothing for twice that long counts as dead")
	flags.DurationVar(&o.timing.Poll, "poll", time.Second, "first pause between two queries for a result; grows to 15 times that")
	flags.DurationVar(&o.timing.Agreement, "agreement-poll", time.Minute, "first pause between looks for an agreement of which no message came; grows to 15 times that")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return o, err
}

// service is all that runs.
type service struct {
	options
	database
	logs    io.Writer
	log     *slog.Logger
	client  *alipay.Client
	machine *check.Machine
	metrics *prometheus.Registry

	gateway *alipaytest.Gateway // nil with -gateway
	orders  sync.Map            // order strings by check, for the demonstration's app
}

// run serves until ctx ends, and then ends the steps that are under way.
func run(ctx context.Context, args []string, logs io.Writer) (err error) {
	options, err := parse(args)
	if err != nil {
		return err
	}
	s := &service{options: options, logs: logs, log: slog.New(slog.NewJSONHandler(logs, nil)), metrics: prometheus.NewRegistry()}
	pages, err := net.Listen("tcp", s.addr)
	if err != nil {
		return err
	}
	defer pages.Close()
	messages, err := net.Listen("tcp", s.notifyAddr)
	if err != nil {
		return err
	}
	defer messages.Close()
	if s.gatewayURL == "" {
		s.gateway, err = alipaytest.StartGateway(alipaytest.WithMessagesTo("http://" + messages.Addr().String() + "/"))
		if err != nil {
			return err
		}
		defer s.gateway.Close()
	}
	config, err := s.config()
	if err == nil {
		s.client, err = alipay.NewClient(config, alipay.WithLogger(s.log), alipay.WithObserver(s.observer()))
	}
	if err != nil {
		return err
	}
	if s.database, err = openDatabase(ctx, s.dbURL); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer s.database.close()
	s.machine, err = check.New(s.client, s.store, check.WithTiming(s.timing), check.WithLogger(s.log))
	if err != nil {
		return err
	}
	s.restore(ctx)

	work := func(ctx context.Context) error { return s.rescue(s.machine.Run(ctx)) }
	if s.pool != nil {
		if work, err = s.openQueue(ctx); err != nil {
			return err
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	worked := make(chan error, 1)
	go func() { worked <- work(ctx); stop() }()
	served := make(chan error, 2)
	servers := []*http.Server{serve(pages, s.pages(), served), serve(messages, s.client.NotificationHandler(s.notified), served)}
	s.log.Info("serving", "pages", "http://"+pages.Addr().String()+"/", "messages", "http://"+messages.Addr().String()+"/", "gateway", s.gatewayURL)
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	for ctx.Err() == nil && err == nil {
		select {
		case <-ctx.Done():
		case err = <-served:
		case <-reload:
			s.reload()
		}
	}
	stop()
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	for _, server := range servers { // connections first, so that nothing new comes, then the steps
		err = errors.Join(err, server.Shutdown(ending))
	}
	return errors.Join(err, <-worked)
}

// serve serves on a listener that strangers may reach.
func serve(listener net.Listener, handler http.Handler, served chan<- error) *http.Server {
	server := &http.Server{
		Handler: handler, MaxHeaderBytes: 64 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute,
	}
	go func() { served <- server.Serve(listener) }()
	return server
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

// reload reads the keys again. The environment of a process does not change, so
// rotate keys in files, named by the variables that end in _PATH. What the old keys
// could not open is opened within 15 seconds.
func (s *service) reload() {
	config, err := s.config()
	if err == nil {
		err = s.client.Reload(config)
	}
	s.log.Info("keys reloaded", "error", err)
}
