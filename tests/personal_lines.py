"""Lines with personal data whose places are known, and lines that only look as if they had some.

Numbers are made here by rules of their own, not by the code that is tested: check digits are found
by trying all of them against the plain definition.
"""

from __future__ import annotations

import random
import string
from datetime import date, timedelta

REGIONS = ("110101", "310115", "440305", "510107", "330106", "420111", "610113", "230103")
AREAS = ("010", "021", "0755", "028", "0571", "027", "029", "0451")
BINS = ("622202", "621700", "622848", "621661", "601382", "436742", "622588", "955880")
PLACES = "京沪粤川浙鄂陕黑苏鲁豫湘"
COMPANY_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
INVISIBLE = "\u200b\u200c\u2060\ufeff"


def digits(chance, count):
    return "".join(chance.choices(string.digits, k=count))


def passes_luhn(number):
    odd = [int(d) for d in number[-1::-2]]
    even = [sum(divmod(2 * int(d), 10)) for d in number[-2::-2]]
    return (sum(odd) + sum(even)) % 10 == 0


def luhn(body):
    return next(body + d for d in string.digits if passes_luhn(body + d))


def passes_id(number):
    # ISO 7064 MOD 11-2 by its recursive definition.
    rest = 0
    for sign in number:
        rest = (rest + (10 if sign == "X" else int(sign))) * 2 % 11
    return rest * 6 % 11 == 1  # 6 is the inverse of 2


def birthday(chance):
    return date(1940, 1, 1) + timedelta(days=chance.randrange(29_000))


def id_card(chance):
    body = chance.choice(REGIONS) + f"{birthday(chance):%Y%m%d}" + digits(chance, 3)
    return next(body + d for d in "0123456789X" if passes_id(body + d))


def old_id_card(chance):
    return chance.choice(REGIONS) + f"{birthday(chance):%y%m%d}" + f"{chance.randint(1, 999):03d}"


def bank_card(chance):
    return luhn(chance.choice(BINS) + digits(chance, chance.choice((9, 12))))


def credit_card(chance):
    return luhn(chance.choice(("4532", "5105", "5500")) + digits(chance, 11))


def company_code(chance):
    body = "91" + chance.choice(REGIONS) + "".join(chance.choices(COMPANY_SIGNS, k=9))
    values = [COMPANY_SIGNS.index(sign) * pow(3, place, 31) for place, sign in enumerate(body)]
    return body + COMPANY_SIGNS[(31 - sum(values) % 31) % 31]


def iban(chance):
    country, length = chance.choice((("DE", 18), ("NL", 0), ("GB", 0), ("AT", 16)))
    account = digits(chance, length) if length else chance.choice(("ABNA", "INGB", "BARC"))
    if country == "NL":
        account += digits(chance, 10)
    if country == "GB":
        account += digits(chance, 14)
    moved = "".join(str(string.ascii_uppercase.index(c) + 10) if c.isalpha() else c
                    for c in account + country)  # fmt: skip
    checks = next(f"{n:02d}" for n in range(2, 99) if int(f"{moved}{n:02d}") % 97 == 1)
    return country + checks + account


def mobile(chance):
    return "1" + chance.choice("3456789") + digits(chance, 9)


def plate(chance):
    start = chance.choice(PLACES) + chance.choice("ABCDEF")
    if chance.random() < 0.3:
        return start + chance.choice("DF") + digits(chance, 5)
    signs = list(
        digits(chance, 3) + "".join(chance.choices("ABCDEFGHJKLMNPQRSTUVWXYZ1234567890", k=2))
    )
    chance.shuffle(signs)
    return start + "".join(signs)


def email(chance):
    name = "".join(chance.choices(string.ascii_lowercase + string.digits + "._-", k=8)).strip("._-")
    host = chance.choice(("qq.com", "163.com", "gmail.com", "mail.example.co.uk", "sina.com.cn"))
    return f"a{name}z@{host}"


def ipv4(chance):
    return ".".join(str(chance.randint(1, 254)) for _ in range(4))


def ipv6(chance):
    return ":".join(f"{chance.randint(1, 65535):x}" for _ in range(8))


def token(chance, length):
    return "".join(chance.choices(string.ascii_letters + string.digits, k=length - 2)) + "a7"


def key(chance):
    kind = chance.randrange(5)
    if kind == 0:
        return "sk-" + token(chance, 40)
    if kind == 1:
        return "ghp_" + token(chance, 36)
    if kind == 2:
        return "AKIA" + "".join(chance.choices(string.ascii_uppercase + string.digits, k=14)) + "A7"
    if kind == 3:
        return "LTAI" + token(chance, 20)
    return f"eyJ{token(chance, 20)}.eyJ{token(chance, 40)}.{token(chance, 43)}"


def us_phone(chance):
    # 800, 888 and their like are companies'.
    area, exchange = chance.choice((212, 415, 617, 713, 904)), chance.randint(201, 989)
    last = digits(chance, 4)
    forms = ("({}) {}-{}", "{}-{}-{}", "+1 {} {} {}", "+1-{}-{}-{}", "{}.{}.{}")
    return chance.choice(forms).format(area, exchange, last)


def uk_phone(chance):
    forms = ("+44 20 7{} {}", "+44 7{} {}00", "020 7{} {}", "07{} {}77")
    return chance.choice(forms).format(digits(chance, 3), digits(chance, 4))


def landline(chance):
    area = chance.choice(AREAS)
    number = chance.choice("2345678") + digits(chance, 7 if len(area) == 3 else 6)
    return chance.choice(("{}-{}", "({}){}", "{} {}")).format(area, number)


def ssn(chance):
    return f"{chance.randint(1, 665):03d}-{chance.randint(1, 99):02d}-{chance.randint(1, 9999):04d}"


def grouped(chance, number, sizes):
    gap, place, parts = chance.choice((" ", "-")), 0, []
    for size in sizes:
        parts.append(number[place : place + size])
        place += size
    return gap.join([*parts, number[place:]] if number[place:] else parts)


def full_width(number):
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in number)


def hidden(chance, number):
    place = chance.randrange(1, len(number))
    return number[:place] + chance.choice(INVISIBLE) + number[place:]


def disguised(chance, number, sizes=()):
    """A number as people write it: mostly plain."""
    way = chance.random()
    if sizes and way < 0.25:
        return grouped(chance, number, sizes)
    if way < 0.33:
        return full_width(number)
    if way < 0.38:
        return hidden(chance, number)
    return number


# kind, maker, sentences around it
CHINESE = (
    ("id_card", lambda c: disguised(c, id_card(c), (6, 8, 4)),
     ("我的身份证号是{}，麻烦核对一下。", "{}是本人证件", "张三{}已登记", "实名信息（{}）提交了",
      "证件：{}")),
    ("id_card", old_id_card, ("老身份证{}还能用吗", "身份证号码：{}，十五位的")),
    ("mobile", lambda c: disguised(c, mobile(c), c.choice(((3, 4, 4), (3, 4, 4), (4, 3, 4)))),
     ("电话{}，随时联系", "打我手机{}吧", "{}找王经理", "收件人李四{}上海市", "请回拨：{}。谢谢")),
    ("mobile", lambda c: c.choice(("+86 ", "+86-", "+86", "0086 ", "86-")) + mobile(c),
     ("国际号{}可以打", "联系方式:{}")),
    ("phone", landline, ("座机{}没人接", "办公室电话：{}，工作日打", "传真{}。")),
    ("bank_card", lambda c: disguised(c, bank_card(c), (4, 4, 4, 4)),
     ("卡号{}，开户行工商银行", "把钱打到{}上", "银行卡:{}", "我的储蓄卡是{}，户名王五")),
    ("passport", lambda c: c.choice(("E1", "G4", "EA", "EB")) + digits(c, 7),
     ("护照号{}快过期了", "护照:{}", "我的护照是{}。")),
    ("permit", lambda c: c.choice("HM") + digits(c, c.choice((8, 10))),
     ("回乡证{}丢了怎么办", "港澳通行证号码：{}", "通行证是{}")),
    ("permit", lambda c: digits(c, 8), ("台胞证{}可以买票吗", "台胞证号：{}")),
    ("company_code", company_code, ("统一社会信用代码{}，开票用", "税号：{}", "公司{}的资质")),
    ("plate", plate, ("车牌{}违停了", "我开的是{}，停在门口", "{}这辆车挡路了")),
    ("wechat", lambda c: c.choice("abwz") + token(c, c.randint(6, 12)),
     ("加我微信{}聊", "微信号：{}", "我的微信是{}，备注姓名", "vx：{}")),
    ("qq", lambda c: c.choice("123456789") + digits(c, c.randint(5, 9)),
     ("QQ{}在线", "加QQ：{}", "qq号是{}", "我的QQ是{}。")),
    ("email", email, ("邮箱{}收不到", "发到{}就行", "我的邮件地址是{}。", "联系:{}，谢谢")),
    ("ip", ipv4, ("服务器{}连不上", "来源地址：{}", "登录IP是{}，异常")),
    ("ip", ipv6, ("服务器{}连不上", "地址：{}。")),
    ("secret", key, ("密钥{}泄露了", "我的key是{}，帮我看看", "配置里写着{}")),
    ("secret", lambda c: "P" + token(c, 9) + "!", ("密码：{}", "登录密码是{}", "wifi密码:{}")),
)  # fmt: skip
ENGLISH = (
    ("phone", us_phone, ("Call me at {} after six.", "My number is {}.", "phone: {}")),
    ("phone", uk_phone, ("Ring {} please.", "Mobile {}, ask for Ann.")),
    ("phone", lambda c: c.choice(("+33 1 42 68 53 00", "+49 30 901820", "+81-3-1234-5678",
                                  "+65 6123 4567", "+852 2345 6789")),
     ("Reach our office on {}.", "tel {}")),
    ("ssn", ssn, ("SSN {} on file.", "My social security number is {}.")),
    ("bank_card", lambda c: disguised(c, credit_card(c), (4, 4, 4, 4)),
     ("Charge {} please.", "card number {}", "Visa {} exp 12/27", "My credit card is {}.")),
    ("iban", iban, ("IBAN {} please", "Transfer to {}.", "account {}, thanks")),
    ("email", email, ("Write to {}.", "email={};", "<{}> bounced", "Contact {}, thanks")),
    ("ip", ipv4, ("Host {} is down.", "from {} port 22", "blocked {}")),
    ("ip", ipv6, ("ping {} fails", "addr [{}] unreachable")),
    ("secret", key, ("token {} leaked", "export KEY={}", "Use {} for the API.", "{}")),
    ("secret", lambda c: token(c, 12), ("password: {}", 'api_key = "{}"', "passwd={}")),
    ("passport", lambda c: c.choice("CDX") + digits(c, 8),
     ("passport number {}", "Passport No. {} expires")),
    ("mobile", lambda c: "+86 " + mobile(c), ("my Chinese number is {}", "WhatsApp {} works")),
)  # fmt: skip


def personal_lines(count, seed=0):
    """Return (line, kind, start, end) rows; two of three are Chinese."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        kinds = ENGLISH if number % 3 == 2 else CHINESE
        kind, maker, sentences = kinds[(number // 3) % len(kinds)]
        item = maker(chance)
        before, _, after = chance.choice(sentences).partition("{}")
        rows.append((before + item + after, kind, len(before), len(before) + len(item)))
    return rows


def wrong_id(chance):
    number = id_card(chance)
    return number[:17] + chance.choice([d for d in "0123456789X" if d != number[17]])


def wrong_card(chance):
    number = bank_card(chance)
    return number[:-1] + chance.choice([d for d in string.digits if d != number[-1]])


HARMLESS = (
    (wrong_id, ("身份证号{}校验失败", "{}不是有效证件", "测试号码{}")),
    (wrong_card, ("卡号{}无效", "{}刷不了", "card {} declined")),
    (lambda c: f"20{c.randint(15, 26)}{c.randint(1, 12):02d}{c.randint(1, 28):02d}" + digits(c, 12),
     ("订单号{}已发货", "订单{}退款", "order {} shipped", "流水号：{}")),
    (lambda c: digits(c, c.randint(12, 20)),
     ("订单编号：{}", "运单{}", "tracking number {}", "Invoice {}", "合同编号{}")),
    (lambda c: digits(c, c.choice((12, 13, 14, 20, 21))), ("数据{}导入", "value {} here")),
    (lambda c: f"{c.randint(1, 20)}.{c.randint(0, 30)}.{c.randint(0, 99)}.{c.randint(0, 255)}",
     ("版本{}发布", "v{}", "version {} fixed it", "升级到{}")),
    (lambda c: f"{c.randint(1, 20)}.{c.randint(0, 30)}.{c.randint(0, 99)}",
     ("版本{}", "Python {}")),
    (lambda c: f"{birthday(c):%Y-%m-%d} {c.randint(0, 23):02d}:{c.randint(0, 59):02d}:00",
     ("时间{}", "At {} it rained.", "{}开会")),
    (lambda c: f"{birthday(c):%Y/%m/%d}", ("日期{}", "on {}.")),
    (lambda c: f"{c.randint(1, 999)},{c.randint(0, 999):03d},{c.randint(0, 999):03d}.00",
     ("金额{}元", "a total of ${}", "营收{}")),
    (lambda c: f"{c.uniform(-180, 180):.6f},{c.uniform(-90, 90):.6f}", ("坐标{}", "at {}")),
    (lambda c: f"{c.randint(10000000, 99999999)}", ("销量{}件", "{} people", "编号{}")),
    (lambda c: f"978{digits(c, 10)}", ("ISBN {}", "ISBN：{}")),
    (lambda c: str(c.randint(1_500_000_000, 1_900_000_000)), ("时间戳{}", "timestamp {}")),
    (lambda c: c.choice("ABCKRTX") + digits(c, 7), ("型号{}", "part {}", "货号{}缺货")),
    (lambda c: "".join(c.choices("0123456789abcdef", k=40)), ("commit {}", "哈希{}")),
    (lambda c: "-".join(digits(c, n) for n in (8, 4, 4, 4, 12)), ("id {}", "任务{}")),
    (lambda c: f"{c.randint(100, 999)}-{c.randint(100, 999)}", ("房间{}", "item {}")),
    (lambda c: f"{c.randint(1, 99)}:{c.randint(10, 59)}:{c.randint(10, 59)}",
     ("用时{}", "took {}")),
    (lambda c: c.choice(("京东", "川菜A级", "微信支付", "QQ音乐", "@所有人", "std::vector", "a::b",
                         "12306", "10086", "95588", "400-820-8820", "邮箱格式是xx@yy")),
     ("{}很好用", "关于{}的问题", "use {} now")),
)  # fmt: skip


def harmless_lines(count, seed=1):
    """Return lines in which nothing must be found."""
    chance = random.Random(seed)
    lines = []
    for number in range(count):
        maker, sentences = HARMLESS[number % len(HARMLESS)]
        lines.append(chance.choice(sentences).replace("{}", maker(chance)))
    return lines
