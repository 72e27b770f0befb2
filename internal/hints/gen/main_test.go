package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-39a49030/alipay/internal/hints"
)

func TestGeneratedPartsAreCurrent(t *testing.T) {
	for _, target := range targets {
		data, err := os.ReadFile(filepath.Join("..", "..", "..", target.file))
		require.NoError(t, err)
		want, err := apply(string(data), target)
		require.NoError(t, err)
		assert.Equal(t, want, string(data), "%s: run go generate ./...", target.file)
	}
}

func TestFilesWithoutTheirMarkersAreRefused(t *testing.T) {
	for _, text := range []string{"", "const (", "\nconst (\n\tA = 1", "\n)\n"} {
		_, err := apply(text, targets[0])
		assert.Error(t, err, "%q", text)
	}
}

// The list is the platform's, with its order and its spelling.
func TestEveryListedCodeIsInTheTableInOrder(t *testing.T) {
	list, err := os.ReadFile("../../../testdata/error_codes.txt")
	require.NoError(t, err)
	var want []string
	for line := range strings.Lines(string(list)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			want = append(want, line)
		}
	}
	require.Len(t, want, 116)

	var got []string
	for _, group := range hints.Groups {
		for _, entry := range group.Entries {
			got = append(got, entry.Code)
		}
	}
	assert.Equal(t, want, got)
}

func TestConstantsAreSpelledAsGoSpellsNames(t *testing.T) {
	for code, want := range map[string]string{
		"TOKEN_INVALID":                 "CodeTokenInvalid",
		"NOT_OPEN_ZM":                   "CodeNotOpenZM",
		"INVALID_PARAMETER":             "CodeInvalidParameter",
		"invalid-parameter":             "CodeGatewayInvalidParameter",
		"invalid-app-id":                "CodeInvalidAppID",
		"illegal-client-ip":             "CodeIllegalClientIP",
		"insufficient-isv-permissions":  "CodeInsufficientISVPermissions",
		"missing-alipay-root-cert-sn":   "CodeMissingAlipayRootCertSN",
		"missing-app-uid":               "CodeMissingAppUID",
		"illegal-json":                  "CodeIllegalJSON",
		"app-invalid-oid":               "CodeAppInvalidOID",
		"openid-error":                  "CodeOpenIDError",
		"app-api-punished":              "CodeAppAPIPunished",
		"sevice-not-been-subscribed-to": "CodeSeviceNotBeenSubscribedTo",
	} {
		assert.Equal(t, want, constant(code))
	}
}
