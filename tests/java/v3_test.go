package java

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	alipay "github.com/seed-39a49030/alipay"
	"github.com/seed-39a49030/alipay/alipaytest"
)

// The official Java client for v3 works against the test gateway in both modes, with
// and without encryption: it takes what is right, and refuses what it should.
func TestTheJavaClientForV3WorksAgainstTheGateway(t *testing.T) {
	dir := install(t, "v3", "Query")
	for _, mode := range []string{"key", "certificate"} {
		for _, key := range []string{"", "AAECAwQFBgcICQoLDA0ODw=="} {
			t.Run(fmt.Sprintf("%s, encrypted %t", mode, key != ""), func(t *testing.T) {
				var opts []alipaytest.Option
				if key != "" {
					opts = append(opts, alipaytest.WithEncryptKey(key))
				}
				gateway := alipaytest.NewGateway(t, opts...)
				config := map[string]func() alipay.AlipayConfig{"key": gateway.Config, "certificate": gateway.CertConfig}[mode]()
				java := start(t, dir, "Query", config, key != "")
				last := func() alipaytest.ReceivedRequest {
					requests := gateway.Requests()
					return requests[len(requests)-1]
				}
				gateway.SetResult("once token/+=中", alipaytest.Result{IdentityResult: alipay.IdentityResultFailed, OpenID: "open-1", WaitingPolls: 1})
				assert.Equal(t, "answer\tWAITING_VERIFY\tnull", java.send("no 1/+&=\tonce token/+=中\t"))
				assert.Equal(t, "answer\tFAILED\topen-1", java.send("no 1/+&=\tonce token/+=中\t202601BB+/="))
				assert.True(t, last().Verified)
				assert.Empty(t, last().Missing)
				assert.Equal(t, "202601BB+/=", last().AppAuthToken)
				assert.Contains(t, java.send("no 1/+&=\tonce token/+=中\t"), "TOKEN_INVALID")

				for _, fault := range []string{"foreign signature", "missing signature", "altered body"} {
					gateway.Inject(alipaytest.FaultNamed(fault), 1)
					assert.Contains(t, java.send("1\ttoken of "+fault+"\t"), "refused", fault)
				}

				if mode != "key" || key != "" {
					return
				}
				other := config
				foreign, err := os.ReadFile("../../testdata/vectors/app_private_pkcs8.pem")
				require.NoError(t, err)
				other.PrivateKey = string(foreign)
				assert.Contains(t, start(t, dir, "Query", other, key != "").send("1\t2\t"), "refused\t400")
				assert.Contains(t, last().Diagnosis, "not signed with the application's private key")
			})
		}
	}
}
