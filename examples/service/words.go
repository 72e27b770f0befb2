package main

import "github.com/seed-39a49030/alipay/check"

// help says what a state means, and what a person can do about it.
var help = map[check.State]struct{ Means, Do string }{
	check.StateStarted:  {"Waits for the user, in Alipay's app.", "Nothing. A message from Alipay wakes it; without one, Alipay is asked from time to time."},
	check.StateAgreed:   {"The user has agreed. Alipay is asked for the result.", "Nothing. The note says what the last query met."},
	check.StateSealed:   {"An answer came that the present keys do not open. It is kept, and may be the result.", "Put Alipay's key or certificate right (支付宝公钥, 支付宝公钥证书) and send SIGHUP: then it is opened. Asking again may only find the token spent."},
	check.StateDone:     {"The result is here.", "Nothing. The result is in the database."},
	check.StateDeclined: {"The user has not agreed, or no longer agrees.", "Start another check if the user wants one."},
	check.StateExpired:  {"The user has not answered in time.", "Start another check if the user wants one."},
	check.StateInDoubt:  {"An answer was lost or is kept, and may have been the result. Alipay gives it only once.", "Look for a kept answer below; the note names the cause. Otherwise start another check: asking again finds the token spent, unless the refusal was about something else."},
	check.StateFailed:   {"Alipay refused, or had no result in time. Nothing was lost.", "Remove the cause in the note and ask again, or start another check."},
}

// chinese has every text of the pages.
var chinese = map[string]string{
	help[check.StateStarted].Means:  "等待用户在支付宝 App 中操作。",
	help[check.StateStarted].Do:     "无需处理。收到支付宝的消息后立即继续；没有消息时会定期查询。",
	help[check.StateAgreed].Means:   "用户已同意授权，正在查询结果。",
	help[check.StateAgreed].Do:      "无需处理。备注写明最近一次查询的情况。",
	help[check.StateSealed].Means:   "收到一个用当前密钥无法验签或解密的响应，已保存，其中可能就是结果。",
	help[check.StateSealed].Do:      "更正支付宝公钥或支付宝公钥证书后发送 SIGHUP，程序会自动打开该响应。直接重新查询，可能只会得到 token 已失效。",
	help[check.StateDone].Means:     "已得到结果。",
	help[check.StateDone].Do:        "无需处理。结果保存在数据库中。",
	help[check.StateDeclined].Means: "用户未同意授权，或已取消授权。",
	help[check.StateDeclined].Do:    "如用户仍需认证，请重新发起。",
	help[check.StateExpired].Means:  "用户未在规定时间内操作。",
	help[check.StateInDoubt].Means:  "有一个响应丢失或未能打开，其中可能就是结果，而支付宝只返回一次结果。",
	help[check.StateInDoubt].Do:     "查看下方是否有保存的响应，备注写明了原因。否则请重新发起认证；重新查询通常只会得到 token 已失效，除非被拒绝是出于其他原因。",
	help[check.StateFailed].Means:   "支付宝拒绝了查询，或未在规定时间内给出结果。没有任何响应丢失。",
	help[check.StateFailed].Do:      "按备注排除原因后重新查询，或重新发起认证。",

	"started": "等待用户", "agreed": "查询中", "sealed": "待验证", "done": "已完成", "declined": "已拒绝", "expired": "已过期", "in_doubt": "存疑", "failed": "失败",
	"Check": "认证", "Checks": "认证列表", "Identity checks": "身份认证", "Start a check": "发起认证", "State": "状态", "Result": "结果",
	"Queries": "查询次数", "Started": "发起时间", "Last change": "最近变化", "Next step": "下一步", "Deadline": "截止时间", "Note": "备注", "What to do": "如何处理",
	"No check yet. Start one.": "还没有认证，请发起一次。", "not yet": "尚未查询",
	"Lost": "丢失", "a query never had an answer": "有一次查询没有收到响应",
	"Kept": "已保存", "answers that could not be accepted": "个未被接受的响应",
	"Ask again": "重新查询", "Agree": "同意", "Decline": "拒绝", "Alipay's app": "支付宝 App",
	"This is the demonstration's own gateway, so you play the user. The merchant asks to check your occupation.": "当前使用演示自带的网关，由你扮演用户：商户请求认证你的职业。",
	"The order string that opens Alipay's app": "用于唤起支付宝 App 的签约串（orderStr）",
}
