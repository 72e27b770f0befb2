package keys

import "fmt"

// Chinese is String in Chinese: "RSA-2048 私钥（PKCS#8、PEM）".
func (m Material) Chinese() string {
	what := map[Kind]string{
		Unknown: "既不是密钥也不是证书的内容", Empty: "空内容", PathLike: "文件路径，而不是文件内容",
		PrivateRSA: "私钥", PublicRSA: "公钥", PrivateOther: "私钥", PublicOther: "公钥", EncryptedPrivate: "带密码的私钥",
		Certificate: "证书", CertificateRequest: "证书请求（CSR）", OtherFormat: "其他格式的密钥文件",
	}[m.Kind]
	algorithm := m.Algorithm
	if m.Bits > 0 {
		algorithm = fmt.Sprintf("RSA-%d", m.Bits)
	}
	switch m.Kind {
	case Unknown, Empty, PathLike:
		return what
	case OtherFormat:
		if m.Form != "" {
			what = m.Form + " 文件"
		}
		return what
	case PrivateRSA, PublicRSA, PrivateOther, PublicOther:
		if algorithm != "" {
			what = algorithm + " " + what
		}
	case Certificate, CertificateRequest:
		if algorithm != "" {
			what += "，密钥为 " + algorithm
		}
	}
	armour := "base64"
	if m.PEM {
		armour = "PEM"
	}
	if m.Form != "" {
		armour = m.Form + "、" + armour
	}
	return what + "（" + armour + "）"
}

// DefectChinese is Defect in Chinese.
func (m Material) DefectChinese() string {
	if m.Defect == "" {
		return ""
	}
	if zh, ok := defectsChinese[m.Defect]; ok {
		return zh
	}
	return "内容已损坏，或者有多余的内容"
}

var defectsChinese = map[string]string{
	defectAlphabet:     "含有 base64 以外的字符",
	defectPadding:      "base64 中间有 =，末尾粘上了别的内容",
	defectConcatenated: "一段 base64 里连着两个密钥或证书",
	defectCorrupt:      "DER 已损坏：有字符丢失或被改动",
	defectLength:       "base64 被截断：末尾多出一个字符",
	defectNoEnd:        "缺少 -----END 行：内容被截断",
	defectNoBegin:      "-----BEGIN 行缺失或损坏",
	defectNothing:      "-----BEGIN 与 -----END 之间没有内容",
}
