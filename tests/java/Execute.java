import com.alipay.api.AlipayApiException;
import com.alipay.api.AlipayConfig;
import com.alipay.api.AlipayRequest;
import com.alipay.api.AlipayResponse;
import com.alipay.api.DefaultAlipayClient;
import com.alipay.api.domain.AlipayTradeQueryModel;
import com.alipay.api.domain.ZhimaCreditPayafteruseCreditagreementUnsignModel;
import com.alipay.api.domain.ZhimaCustomerJobworthAuthenticationPreconsultModel;
import com.alipay.api.request.AlipayTradeQueryRequest;
import com.alipay.api.request.ZhimaCreditPayafteruseCreditagreementUnsignRequest;
import com.alipay.api.request.ZhimaCustomerJobworthAuthenticationPreconsultRequest;
import com.alipay.api.response.AlipayTradeQueryResponse;
import com.alipay.api.response.ZhimaCustomerJobworthAuthenticationPreconsultResponse;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.util.Properties;

/**
 * Calls of the old gateway by the official client, driven by the test beside this
 * file: one call per line of the input, its result on one line of the output.
 *
 * Properties in the file of the first argument: url, app_id, key, and alipay_key or
 * app_cert, alipay_cert and root_cert, and encrypt_key.
 */
public class Execute {
    public static void main(String[] args) throws Exception {
        Properties settings = new Properties();
        try (java.io.Reader reader = java.nio.file.Files.newBufferedReader(java.nio.file.Paths.get(args[0]))) {
            settings.load(reader);
        }
        boolean certificates = settings.containsKey("app_cert");
        AlipayConfig config = new AlipayConfig();
        config.setServerUrl(settings.getProperty("url") + "/gateway.do");
        config.setAppId(settings.getProperty("app_id"));
        config.setPrivateKey(settings.getProperty("key"));
        config.setFormat("json");
        config.setCharset("UTF-8");
        config.setSignType("RSA2");
        config.setEncryptType("AES");
        config.setEncryptKey(settings.getProperty("encrypt_key"));
        if (certificates) {
            config.setAppCertContent(settings.getProperty("app_cert"));
            config.setAlipayPublicCertContent(settings.getProperty("alipay_cert"));
            config.setRootCertContent(settings.getProperty("root_cert"));
        } else {
            config.setAlipayPublicKey(settings.getProperty("alipay_key"));
        }
        DefaultAlipayClient client = new DefaultAlipayClient(config);

        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
        for (String line; (line = in.readLine()) != null;) {
            String[] call = line.split("\t", -1); // method, its argument, app auth token, encrypted
            AlipayRequest<? extends AlipayResponse> request = request(call[0], call[1]);
            request.setNeedEncrypt(Boolean.parseBoolean(call[3]));
            String token = call[2].isEmpty() ? null : call[2];
            String result;
            try {
                AlipayResponse answer = certificates ? client.certificateExecute(request, null, token) : client.execute(request, null, token);
                result = String.join("\t", "answer", "" + answer.isSuccess(), "" + answer.getCode(), "" + answer.getSubCode(), member(answer));
            } catch (AlipayApiException | RuntimeException e) {
                result = "refused\t" + ("" + e.getMessage()).replaceAll("\\s+", " ");
            }
            out.println(result);
        }
    }

    static AlipayRequest<? extends AlipayResponse> request(String method, String argument) {
        switch (method) {
            case "preconsult": {
                ZhimaCustomerJobworthAuthenticationPreconsultModel model = new ZhimaCustomerJobworthAuthenticationPreconsultModel();
                model.setOutAgreementNo("check/1 一");
                model.setOnceToken(argument);
                model.setIdentityType("04");
                model.setQueryType("exact");
                model.setZmServiceId("2019120400000000000004450100");
                ZhimaCustomerJobworthAuthenticationPreconsultRequest request = new ZhimaCustomerJobworthAuthenticationPreconsultRequest();
                request.setBizModel(model);
                return request;
            }
            case "unsign": {
                ZhimaCreditPayafteruseCreditagreementUnsignModel model = new ZhimaCreditPayafteruseCreditagreementUnsignModel();
                model.setCreditAgreementId(argument);
                ZhimaCreditPayafteruseCreditagreementUnsignRequest request = new ZhimaCreditPayafteruseCreditagreementUnsignRequest();
                request.setBizModel(model);
                return request;
            }
            default: {
                AlipayTradeQueryModel model = new AlipayTradeQueryModel();
                model.setOutTradeNo(argument);
                AlipayTradeQueryRequest request = new AlipayTradeQueryRequest();
                request.setBizModel(model);
                return request;
            }
        }
    }

    /** What the answer says beside code and sub_code. */
    static String member(AlipayResponse answer) {
        if (answer instanceof ZhimaCustomerJobworthAuthenticationPreconsultResponse) {
            ZhimaCustomerJobworthAuthenticationPreconsultResponse said = (ZhimaCustomerJobworthAuthenticationPreconsultResponse) answer;
            return said.getPreCheckSuccess() + "\t" + said.getReason();
        }
        if (answer instanceof AlipayTradeQueryResponse) {
            return ((AlipayTradeQueryResponse) answer).getTradeNo() + "\t";
        }
        return "\t";
    }
}
