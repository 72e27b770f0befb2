module github.com/seed-39a49030/alipay/benchmarks

go 1.26.0

require (
	github.com/seed-39a49030/alipay v0.0.0
	github.com/seed-39a49030/alipay/opensslsigner v0.0.0
)

require (
	github.com/aclements/go-moremath v0.0.0-20210112150236-f10218a38794 // indirect
	github.com/google/go-querystring v1.2.0 // indirect
	golang.org/x/perf v0.0.0-20260908200009-22c9c6c9d4da // indirect
)

replace (
	github.com/seed-39a49030/alipay => ../
	github.com/seed-39a49030/alipay/opensslsigner => ../opensslsigner
)

tool golang.org/x/perf/cmd/benchstat
