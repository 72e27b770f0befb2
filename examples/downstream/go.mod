module example.com/merchant

go 1.26.0

require github.com/seed-39a49030/alipay v0.0.0

require github.com/google/go-querystring v1.2.0 // indirect

replace github.com/seed-39a49030/alipay => ../..
