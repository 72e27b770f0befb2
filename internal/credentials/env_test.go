package credentials

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// envFields maps each variable to the field it fills.
var envFields = map[string]string{
	"ALIPAY_BASE_URL": "BaseURL", "ALIPAY_APP_ID": "AppID",
	"ALIPAY_PRIVATE_KEY": "PrivateKey", "ALIPAY_PRIVATE_KEY_PATH": "PrivateKeyPath",
	"ALIPAY_PUBLIC_KEY": "AlipayPublicKey", "ALIPAY_PUBLIC_KEY_PATH": "AlipayPublicKeyPath",
	"ALIPAY_APP_CERT": "AppCertContent", "ALIPAY_APP_CERT_PATH": "AppCertPath",
	"ALIPAY_PUBLIC_CERT": "AlipayPublicCertContent", "ALIPAY_PUBLIC_CERT_PATH": "AlipayPublicCertPath",
	"ALIPAY_ROOT_CERT": "RootCertContent", "ALIPAY_ROOT_CERT_PATH": "RootCertPath",
	"ALIPAY_ENCRYPT_KEY": "EncryptKey", "ALIPAY_APP_AUTH_TOKEN": "AppAuthToken",
}

func environment(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

func TestTheEnvironmentFillsEveryField(t *testing.T) {
	config := reflect.TypeFor[Config]()
	require.Len(t, envFields, config.NumField()-1, "one variable for every field but Signer")
	all := map[string]string{}
	for variable, field := range envFields {
		all[variable] = "value of " + field
	}
	c, err := FromEnv(environment(all))
	require.NoError(t, err, "the values are for Resolve to check")
	for i := range config.NumField() {
		if name := config.Field(i).Name; name != "Signer" {
			assert.Equal(t, "value of "+name, value(c, name))
		}
	}
	for variable, field := range envFields { // one at a time: none lands in two fields
		c, _ := FromEnv(environment(map[string]string{variable: "x"}))
		var want Config
		set(&want, field, "x")
		assert.True(t, want == c, variable)
	}
}

func TestTheEnvironmentIsToldEverythingThatIsMissing(t *testing.T) {
	for name, tc := range map[string]struct {
		set            map[string]string
		field          string
		missing, found []string
	}{
		"all": {nil, "AppID", []string{"ALIPAY_APP_ID", "ALIPAY_PRIVATE_KEY", "ALIPAY_PRIVATE_KEY_PATH", "ALIPAY_PUBLIC_KEY", "ALIPAY_PUBLIC_KEY_PATH", "ALIPAY_APP_CERT", "ALIPAY_PUBLIC_CERT", "ALIPAY_ROOT_CERT"}, nil},
		"app id": {map[string]string{"ALIPAY_PRIVATE_KEY_PATH": "secret-path", "ALIPAY_PUBLIC_KEY": "secret-value"}, "AppID",
			[]string{"ALIPAY_APP_ID"}, []string{"PRIVATE_KEY", "PUBLIC_KEY"}},
		"private key": {map[string]string{"ALIPAY_APP_ID": "1", "ALIPAY_PUBLIC_KEY": "secret-value"}, "PrivateKey",
			[]string{"ALIPAY_PRIVATE_KEY or ALIPAY_PRIVATE_KEY_PATH"}, []string{"APP_ID", "PUBLIC_KEY"}},
		"mode": {map[string]string{"ALIPAY_APP_ID": "1", "ALIPAY_PRIVATE_KEY": "secret-value"}, "AlipayPublicKey",
			[]string{"ALIPAY_PUBLIC_KEY or ALIPAY_PUBLIC_KEY_PATH", "for certificate mode"}, []string{"APP_ID", "PRIVATE_KEY"}},
		"two certificates": {map[string]string{"ALIPAY_APP_ID": "1", "ALIPAY_PRIVATE_KEY": "secret-value", "ALIPAY_PUBLIC_CERT_PATH": "secret-path"}, "AppCertContent",
			[]string{"ALIPAY_APP_CERT or ALIPAY_APP_CERT_PATH", "ALIPAY_ROOT_CERT or ALIPAY_ROOT_CERT_PATH"}, []string{"APP_ID", "PRIVATE_KEY", "PUBLIC_CERT", "PUBLIC_KEY"}},
		"one certificate": {map[string]string{"ALIPAY_APP_ID": "1", "ALIPAY_PRIVATE_KEY": "secret-value", "ALIPAY_APP_CERT": "secret-value", "ALIPAY_ROOT_CERT": "secret-value"}, "AlipayPublicCertContent",
			[]string{"ALIPAY_PUBLIC_CERT or ALIPAY_PUBLIC_CERT_PATH"}, []string{"APP_CERT", "ROOT_CERT"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := FromEnv(environment(tc.set))
			assertError(t, err, c, tc.field, append(tc.missing, "not set in the environment")...)
			for _, present := range tc.found {
				assert.NotContains(t, err.Error(), "ALIPAY_"+present)
			}
			for variable, text := range tc.set {
				assert.Equal(t, text, value(c, envFields[variable]), "what was found is kept, for a Signer to be added")
			}
		})
	}
}

func TestTheMissingVariablesAreListed(t *testing.T) {
	_, err := FromEnv(environment(map[string]string{"ALIPAY_PUBLIC_KEY": "x"}))
	assert.EqualError(t, err, "AppID: not set in the environment: ALIPAY_APP_ID; ALIPAY_PRIVATE_KEY or ALIPAY_PRIVATE_KEY_PATH")

	all := map[string]string{"ALIPAY_APP_ID": "1", "ALIPAY_PRIVATE_KEY": "x", "ALIPAY_APP_CERT": "x", "ALIPAY_PUBLIC_CERT": "x", "ALIPAY_ROOT_CERT": "x"}
	_, err = FromEnv(environment(all))
	require.NoError(t, err)
	for variable := range all {
		_, err := FromEnv(func(name string) string {
			if name == variable {
				return ""
			}
			return all[name]
		})
		want := envFields[variable] + ": not set in the environment: " + variable
		if variable != "ALIPAY_APP_ID" {
			want += " or " + variable + "_PATH"
		}
		assert.EqualError(t, err, want)
	}
}

func TestEachCertificateVariableMeansCertificateMode(t *testing.T) {
	keys := map[string]string{"ALIPAY_APP_ID": "1", "ALIPAY_PRIVATE_KEY": "2"}
	for _, name := range []string{"APP_CERT", "PUBLIC_CERT", "ROOT_CERT"} {
		for _, variable := range []string{"ALIPAY_" + name, "ALIPAY_" + name + "_PATH"} {
			c, err := FromEnv(func(asked string) string {
				if asked == variable {
					return "3"
				}
				return keys[asked]
			})
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "ALIPAY_PUBLIC_KEY")
			assert.NotContains(t, err.Error(), "ALIPAY_"+name+" or")
			assert.Equal(t, "3", value(c, envFields[variable]))
		}
	}
}
