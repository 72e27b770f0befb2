module github.com/seed-39a49030/alipay/opensslsigner

go 1.26.0
