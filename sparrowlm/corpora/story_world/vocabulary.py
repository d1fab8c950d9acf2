"""Everybody and everything in the story world, in English and Chinese.

The tables are the whole dictionary: what is not here can neither be told nor be valid. Agreement
(who can fly, what can be eaten, which measure word a noun takes) is written beside each word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Gender = Literal["she", "he"]


@dataclass(frozen=True, slots=True)
class Word:
    """A word with no rules of its own beyond the table it stands in."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Species:
    """A kind of animal with its Chinese measure word and what it is able to do."""

    en: str
    zh: str
    measure: str
    abilities: frozenset[str]


@dataclass(frozen=True, slots=True)
class Character:
    """Somebody with a name; species and gender never change from story to story."""

    en: str
    zh: str
    species: Species
    gender: Gender


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere to be: how one is there, how one goes there, what it offers."""

    en: str
    en_at: str
    zh: str
    zh_at: str
    traits: frozenset[str]


@dataclass(frozen=True, slots=True)
class Spot:
    """A corner of a place where a thing can lie; needs names the trait the place must have."""

    en: str
    zh: str
    needs: str


@dataclass(frozen=True, slots=True)
class Activity:
    """Something to do without a thing, and what it asks of place, body, hour and weather."""

    en: str
    zh: str
    place: str
    ability: str = ""
    hours: str = ""
    weather: str = ""


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a kind of thing is for: the verb, the need that leads to it, and when it works."""

    en_verb: str
    zh_verb: str
    en_need: str
    zh_need: str
    place: str = ""
    hours: str = ""
    weather: str = ""
    is_used_up: bool = False


@dataclass(frozen=True, slots=True)
class Thing:
    """Something to find, hold, give and use."""

    en: str
    zh: str
    measure: str
    purpose: Purpose
    qualities: tuple[Word, ...]


def _set_of(names: str) -> frozenset[str]:
    return frozenset(names.split())


_SPECIES = {
    species.en: species
    for species in (
        Species("fox", "狐狸", "只", _set_of("walk run hurry")),
        Species("rabbit", "兔子", "只", _set_of("walk run hop hurry")),
        Species("bear", "熊", "头", _set_of("walk hurry swim climb")),
        Species("cat", "猫", "只", _set_of("walk run hurry climb")),
        Species("dog", "狗", "只", _set_of("walk run hurry swim")),
        Species("mouse", "老鼠", "只", _set_of("walk run hurry")),
        Species("owl", "猫头鹰", "只", _set_of("fly hurry")),
        Species("sparrow", "麻雀", "只", _set_of("fly hop hurry")),
        Species("duck", "鸭子", "只", _set_of("walk fly swim hurry")),
        Species("frog", "青蛙", "只", _set_of("hop hurry swim")),
        Species("turtle", "乌龟", "只", _set_of("walk swim")),
        Species("otter", "水獭", "只", _set_of("walk run hurry swim")),
        Species("horse", "马", "匹", _set_of("walk run hurry")),
        Species("pig", "猪", "头", _set_of("walk run hurry")),
        Species("deer", "鹿", "头", _set_of("walk run hurry")),
        Species("squirrel", "松鼠", "只", _set_of("run hop hurry climb")),
        Species("monkey", "猴子", "只", _set_of("walk run hurry climb")),
        Species("panda", "熊猫", "只", _set_of("walk climb")),
        Species("elephant", "大象", "头", _set_of("walk hurry swim")),
        Species("crow", "乌鸦", "只", _set_of("fly hop hurry")),
    )
}

CHARACTERS: tuple[Character, ...] = tuple(
    Character(en, zh, _SPECIES[species], "she" if gender == "she" else "he")
    for en, zh, species, gender in (
        ("Mia", "米亚", "fox", "she"),
        ("Rufus", "阿火", "fox", "he"),
        ("Lily", "莉莉", "rabbit", "she"),
        ("Benny", "贝尼", "rabbit", "he"),
        ("Bruno", "布鲁", "bear", "he"),
        ("Hazel", "榛子", "bear", "she"),
        ("Kiki", "琪琪", "cat", "she"),
        ("Oscar", "奥斯", "cat", "he"),
        ("Rex", "雷克", "dog", "he"),
        ("Daisy", "黛西", "dog", "she"),
        ("Pip", "皮皮", "mouse", "he"),
        ("Nina", "妮娜", "mouse", "she"),
        ("Otto", "奥托", "owl", "he"),
        ("Luna", "露娜", "owl", "she"),
        ("Tilly", "蒂莉", "sparrow", "she"),
        ("Finn", "芬尼", "sparrow", "he"),
        ("Dora", "朵拉", "duck", "she"),
        ("Quinn", "昆昆", "duck", "he"),
        ("Fred", "弗弗", "frog", "he"),
        ("Greta", "格蕾", "frog", "she"),
        ("Tom", "汤姆", "turtle", "he"),
        ("Shelly", "雪莉", "turtle", "she"),
        ("Ollie", "欧力", "otter", "he"),
        ("Ruby", "露比", "otter", "she"),
        ("Star", "星星草", "horse", "she"),
        ("Jack", "杰克", "horse", "he"),
        ("Rosie", "萝西", "pig", "she"),
        ("Percy", "波西", "pig", "he"),
        ("Fern", "小蕨", "deer", "she"),
        ("Dan", "丹丹", "deer", "he"),
        ("Nutty", "果果", "squirrel", "he"),
        ("Cora", "可拉", "squirrel", "she"),
        ("Milo", "米洛", "monkey", "he"),
        ("Suki", "苏琪", "monkey", "she"),
        ("Bao", "宝宝", "panda", "he"),
        ("Mei", "梅梅", "panda", "she"),
        ("Ella", "艾拉", "elephant", "she"),
        ("Hugo", "雨果", "elephant", "he"),
        ("Coco", "可可", "crow", "she"),
        ("Max", "马克", "crow", "he"),
    )
)

TRAITS: tuple[Word, ...] = tuple(
    Word(en, zh)
    for en, zh in (
        ("kind", "善良"),
        ("brave", "勇敢"),
        ("shy", "害羞"),
        ("clever", "聪明"),
        ("lazy", "懒惰"),
        ("curious", "好奇"),
        ("cheerful", "快活"),
        ("honest", "诚实"),
        ("patient", "耐心"),
        ("old", "年老"),
        ("young", "年轻"),
        ("eager", "热心"),
    )
)

PLACES: tuple[Place, ...] = tuple(
    Place(en, en_at, zh, zh_at, _set_of(traits))
    for en, en_at, zh, zh_at, traits in (
        ("the river", "by the river", "小河", "小河边", "outdoors water ground"),
        ("the lake", "by the lake", "湖", "湖边", "outdoors water ground"),
        ("the pond", "by the pond", "池塘", "池塘边", "outdoors water ground flowers"),
        ("the beach", "on the beach", "海滩", "海滩上", "outdoors water sand ground"),
        ("the forest", "in the forest", "森林", "森林里", "outdoors trees ground"),
        ("the garden", "in the garden", "花园", "花园里", "outdoors flowers trees ground"),
        ("the meadow", "in the meadow", "草地", "草地上", "outdoors flowers ground grass"),
        ("the orchard", "in the orchard", "果园", "果园里", "outdoors trees ground grass"),
        ("the hill", "on the hill", "小山", "小山上", "outdoors grass slope ground"),
        ("the farm", "on the farm", "农场", "农场里", "outdoors ground grass"),
        ("the market", "at the market", "集市", "集市上", "outdoors town ground"),
        ("the village", "in the village", "村子", "村子里", "outdoors town ground"),
        ("the school", "at the school", "学校", "学校里", "indoors furniture quiet"),
        ("the library", "in the library", "图书馆", "图书馆里", "indoors furniture quiet"),
        ("the kitchen", "in the kitchen", "厨房", "厨房里", "indoors furniture stove"),
        ("the bakery", "in the bakery", "面包店", "面包店里", "indoors furniture stove"),
    )
)

SPOTS: tuple[Spot, ...] = tuple(
    Spot(en, zh, needs)
    for en, zh, needs in (
        ("under a tall tree", "一棵大树下", "trees"),
        ("behind a tree", "一棵树后面", "trees"),
        ("beside the water", "水边", "water"),
        ("on a wet stone", "一块湿石头上", "water"),
        ("in the sand", "沙子里", "sand"),
        ("under a rock", "一块岩石下", "outdoors"),
        ("behind a bush", "灌木丛后面", "ground"),
        ("among the flowers", "花丛中", "flowers"),
        ("in the tall grass", "高高的草丛里", "grass"),
        ("beside the well", "水井旁", "town"),
        ("on a bench", "一张长椅上", "town"),
        ("on the table", "桌子上", "furniture"),
        ("under a chair", "一把椅子下", "furniture"),
        ("in a basket", "一个篮子里", "furniture"),
        ("on a high shelf", "高高的架子上", "furniture"),
        ("near the door", "门边", "indoors"),
    )
)

HOURS: tuple[Word, ...] = tuple(
    Word(en, zh)
    for en, zh in (
        ("morning", "早晨"),
        ("noon", "中午"),
        ("afternoon", "下午"),
        ("evening", "傍晚"),
        ("night", "夜晚"),
    )
)
DAY_HOURS = frozenset(("morning", "noon", "afternoon"))
DARK_HOURS = frozenset(("evening", "night"))

WEATHERS: tuple[Word, ...] = tuple(
    Word(en, zh)
    for en, zh in (("sunny", "晴朗"), ("rainy", "下雨"), ("windy", "刮风"), ("snowy", "下雪"))
)

GOINGS: dict[str, Word] = {
    "walk": Word("walked to", "走到了"),
    "run": Word("ran to", "跑到了"),
    "hurry": Word("hurried to", "赶到了"),
    "hop": Word("hopped to", "蹦蹦跳跳地来到了"),
    "fly": Word("flew to", "飞到了"),
}

MANNERS: tuple[Word, ...] = tuple(
    Word(en, zh)
    for en, zh in (
        ("happily", "高兴地"),
        ("quietly", "静静地"),
        ("again and again", "一次又一次地"),
    )
)

FEELINGS: tuple[Word, ...] = tuple(
    Word(en, zh)
    for en, zh in (("happy", "高兴"), ("glad", "开心"), ("proud", "得意"), ("cheerful", "快乐"))
)

ACTIVITIES: tuple[Activity, ...] = (
    Activity("swam in the cool water", "在清凉的水里游泳", "water", ability="swim"),
    Activity("splashed in the shallow water", "在浅浅的水里玩水", "water"),
    Activity("looked for shells", "寻找贝壳", "sand"),
    Activity("built a sandcastle", "堆沙堡", "sand", hours="day"),
    Activity("climbed to the top of a tree", "爬到树顶", "trees", ability="climb"),
    Activity("flew in wide circles", "在天上盘旋", "outdoors", ability="fly", weather="dry"),
    Activity("rested in the shade", "在树荫下休息", "trees", hours="day", weather="sunny"),
    Activity("picked flowers", "采花", "flowers", hours="day"),
    Activity("chased butterflies", "追蝴蝶", "flowers", hours="day"),
    Activity("rolled down the slope", "从山坡上滚下来", "slope"),
    Activity("watched the clouds", "看云", "outdoors", hours="day", weather="dry"),
    Activity("counted the stars", "数星星", "outdoors", hours="dark", weather="dry"),
    Activity("danced in the moonlight", "在月光下跳舞", "outdoors", hours="dark", weather="dry"),
    Activity("built a snowman", "堆雪人", "ground", weather="snowy"),
    Activity("jumped over the puddles", "跳过水坑", "ground", weather="rainy"),
    Activity("ran after the leaves", "追着落叶跑", "ground", weather="windy"),
    Activity("told a long story", "讲一个长长的故事", "quiet"),
    Activity("drew a picture", "画画", "furniture"),
    Activity("baked fresh bread", "烤新鲜面包", "stove"),
    Activity("stirred the soup", "搅着汤", "stove"),
    Activity("sang a song", "唱歌", ""),
    Activity("hummed a tune", "哼着小曲", ""),
)

_EAT = Purpose("ate", "吃掉了", "hungry", "饿了", is_used_up=True)
_DRINK = Purpose("drank", "喝光了", "thirsty", "渴了", is_used_up=True)
_READ = Purpose("read", "读起了", "curious", "很好奇")
_PLAY = Purpose("played", "演奏起了", "merry", "兴致很高")
_TOY = Purpose("played with", "玩起了", "bored", "觉得无聊")
_WEAR = Purpose("put on", "戴上了", "cold", "觉得冷")
_DRESS = Purpose("put on", "穿上了", "cold", "觉得冷")
_LIGHT = Purpose("lit", "点亮了", "afraid of the dark", "怕黑", hours="dark")
_FLY_KITE = Purpose(
    "flew", "放飞了", "full of energy", "浑身是劲", place="outdoors", hours="day", weather="windy"
)
_SHELTER = Purpose("opened", "撑开了", "getting wet", "快淋湿了", "outdoors", weather="rainy")

_COLOURS = tuple(
    Word(en, zh)
    for en, zh in (
        ("red", "红色的"),
        ("blue", "蓝色的"),
        ("green", "绿色的"),
        ("yellow", "黄色的"),
        ("white", "白色的"),
        ("orange", "橙色的"),
    )
)
_AGES = (Word("old", "旧的"), Word("new", "新的"))
_SIZES = (Word("big", "大大的"), Word("little", "小小的"))
_TASTES = (Word("sweet", "甜甜的"), Word("fresh", "新鲜的"), Word("enormous", "巨大的"))
_WARMTHS = (Word("hot", "热乎乎的"), Word("cold", "冰凉的"), Word("sweet", "甜甜的"))
_WRITTEN = (*_AGES, Word("interesting", "有趣的"), Word("mysterious", "神秘的"))
_SHINING = (*_SIZES, Word("shiny", "闪亮的"), *_AGES)

THINGS: tuple[Thing, ...] = tuple(
    Thing(en, zh, measure, purpose, qualities)
    for en, zh, measure, purpose, qualities in (
        ("apple", "苹果", "个", _EAT, _TASTES + _SIZES),
        ("pear", "梨", "个", _EAT, _TASTES + _SIZES),
        ("peach", "桃子", "个", _EAT, _TASTES + _SIZES),
        ("cake", "蛋糕", "块", _EAT, _TASTES + _SIZES),
        ("cookie", "饼干", "块", _EAT, _TASTES + _SIZES),
        ("pancake", "煎饼", "张", _EAT, _TASTES + _SIZES),
        ("carrot", "胡萝卜", "根", _EAT, _TASTES + _SIZES),
        ("bottle of milk", "牛奶", "瓶", _DRINK, _WARMTHS),
        ("cup of tea", "茶", "杯", _DRINK, _WARMTHS),
        ("glass of juice", "果汁", "杯", _DRINK, _WARMTHS[1:]),
        ("book", "书", "本", _READ, _WRITTEN + _COLOURS),
        ("letter", "信", "封", _READ, _WRITTEN),
        ("map", "地图", "张", _READ, _WRITTEN),
        ("drum", "鼓", "面", _PLAY, _COLOURS + _SHINING),
        ("flute", "笛子", "支", _PLAY, _SHINING),
        ("violin", "小提琴", "把", _PLAY, _SHINING),
        ("trumpet", "小号", "支", _PLAY, _SHINING),
        ("ball", "皮球", "个", _TOY, _COLOURS + _SIZES + _AGES),
        ("spinning top", "陀螺", "只", _TOY, _COLOURS + _AGES),
        ("toy boat", "玩具船", "艘", _TOY, _COLOURS + _SIZES),
        ("doll", "布娃娃", "个", _TOY, _SIZES + _AGES),
        ("hat", "帽子", "顶", _WEAR, _COLOURS + _SIZES + _AGES),
        ("scarf", "围巾", "条", _WEAR, _COLOURS + _AGES),
        ("coat", "外套", "件", _DRESS, _COLOURS + _SIZES + _AGES),
        ("lantern", "灯笼", "盏", _LIGHT, _COLOURS + _SIZES + _AGES),
        ("candle", "蜡烛", "支", _LIGHT, _COLOURS + _SIZES),
        ("kite", "风筝", "架", _FLY_KITE, _COLOURS + _SIZES + _AGES),
        ("umbrella", "雨伞", "把", _SHELTER, _COLOURS + _SIZES + _AGES),
    )
)

LIGHTS: tuple[tuple[Word, frozenset[str]], ...] = (
    (Word("the sun", "太阳"), DAY_HOURS),
    (Word("the moon", "月亮"), DARK_HOURS),
    (Word("the evening star", "一颗亮星"), DARK_HOURS),
)


def has_hours(hours: str, hour: str) -> bool:
    """Say whether an activity or purpose limited to hours ("day", "dark", "") fits the hour."""
    return hours == "" or hour in (DAY_HOURS if hours == "day" else DARK_HOURS)


def is_weather_possible(weather: str, hour: str) -> bool:
    """Say whether people speak of this weather at this hour: no sunny night."""
    return weather != "sunny" or hour in DAY_HOURS


def has_weather(weather: str, today: str) -> bool:
    """Say whether an activity or purpose that asks for weather ("", "dry", "snowy") has it."""
    if weather == "dry":
        return today not in ("rainy", "snowy")
    return weather in ("", today)


def english_article(words: str) -> str:
    """Choose "a" or "an" for the words that follow.

    >>> english_article("old map"), english_article("honest fox"), english_article("kite")
    ('an', 'an', 'a')
    """
    return "an" if words[0] in "aeiou" or words.startswith("honest") else "a"
