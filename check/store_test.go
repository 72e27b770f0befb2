package check_test

import (
	"testing"

	"github.com/seed-39a49030/alipay/check"
	"github.com/seed-39a49030/alipay/check/checktest"
)

func TestMemoryStoreKeepsWhatAStorePromises(t *testing.T) {
	store := check.NewMemoryStore()
	checktest.Store(t, func() check.Store { return store })
}
