import com.alipay.v3.ApiClient;
import com.alipay.v3.ApiException;
import com.alipay.v3.api.ZhimaCustomerJobworthAuthenticationApi;
import com.alipay.v3.model.ZhimaCustomerJobworthAuthenticationQueryResponseModel;
import com.alipay.v3.util.model.AlipayConfig;
import com.alipay.v3.util.model.CustomizedParams;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.Properties;

/**
 * Queries by the official client for v3, driven by the test in the directory above:
 * one query per line of the input, its result on one line of the output.
 *
 * Properties in the file of the first argument: url, app_id, key, and alipay_key or
 * app_cert, alipay_cert and root_cert, and encrypt_key.
 */
public class Query {
    public static void main(String[] args) throws Exception {
        Properties settings = new Properties();
        try (java.io.Reader reader = java.nio.file.Files.newBufferedReader(java.nio.file.Paths.get(args[0]))) {
            settings.load(reader);
        }
        AlipayConfig config = new AlipayConfig();
        config.setServerUrl(settings.getProperty("url"));
        config.setAppId(settings.getProperty("app_id"));
        config.setPrivateKey(settings.getProperty("key"));
        if (settings.containsKey("app_cert")) {
            config.setAppCertContent(settings.getProperty("app_cert"));
            config.setAlipayPublicCertContent(settings.getProperty("alipay_cert"));
            config.setRootCertContent(settings.getProperty("root_cert"));
        } else {
            config.setAlipayPublicKey(settings.getProperty("alipay_key"));
        }
        if (!settings.getProperty("encrypt_key", "").isEmpty()) {
            config.setEncryptKey(settings.getProperty("encrypt_key"));
            config.setEncryptType("AES");
        }
        ApiClient client = new ApiClient();
        client.setAlipayConfig(config);
        ZhimaCustomerJobworthAuthenticationApi api = new ZhimaCustomerJobworthAuthenticationApi(client);

        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        for (String line; (line = in.readLine()) != null;) {
            String[] call = line.split("\t", -1); // conn_key, once_token, app auth token
            CustomizedParams params = new CustomizedParams();
            if (!call[2].isEmpty()) {
                params.setAppAuthToken(call[2]);
            }
            try {
                ZhimaCustomerJobworthAuthenticationQueryResponseModel answer =
                    api.query(call[0], call[1], "exact", "04", "2019120400000000000004450100", null, null, null, null, params);
                out.println("answer\t" + answer.getIdentityResult() + "\t" + answer.getOpenId());
            } catch (ApiException e) {
                out.println("refused\t" + e.getCode() + "\t" + String.valueOf(e.getResponseBody()).replaceAll("\\s", " "));
            } catch (RuntimeException e) {
                out.println("refused\t" + e);
            }
        }
    }
}
