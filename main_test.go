package alipay_test

import (
	"flag"
	"io"
	"log"
	"os"
	"testing"

	"github.com/seed-39a49030/alipay"
)

// TestMain lets more tests run side by side than there are processors: most of
// those that are marked parallel wait for a network, a pause or a timeout.
//
// Nothing is written to the standard logger: net/http writes there what comes
// unasked on the connections of a caller's transport, which some tests provoke.
func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	alipay.BePatient()
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", "8")
	}
	os.Exit(m.Run())
}
