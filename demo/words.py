"""What the people of the demo are called, and what they write about."""

NAMES = [
    *("alice", "bruno", "chandra", "daria", "emeka", "fatima", "goran", "hanna", "ines", "jun"),
    *("kofi", "leila", "mateo", "nadia", "oskar", "priya", "quentin", "rosa", "sven", "tomoko"),
    *("umar", "vera", "wanjiru", "ximena", "yusuf"),
]

PHRASES = [
    "Kaffee ist fertig. Der Tag darf beginnen ☕",
    "Il treno è in ritardo, ma il tramonto no.",
    "今日は猫が三匹も来た 🐈🐈🐈",
    "Primera lluvia de otoño 🍂 ¿quién quiere chocolate?",
    "Tom & Jerry marathon with the kids. We <3 the classics",
    "Кто-нибудь видел мой второй носок?",
    'She said "never again" … and signed up for another marathon 🏃‍♀️',
    "Hoje o mar está calmo, e eu também 🌊",
    "صباح الخير من الجبل ⛰️",
    "Le pain est dans le four, ça sent bon jusque dans la rue 🥖",
    "Proof by exhaustion: I went through every case and now I am exhausted.",
    "Kahvia, kissoja ja hiljaisuus. Hyvä sunnuntai.",
    "오늘은 걸어서 퇴근 🚶",
    "if (coffee < 1 && deadline > 0) { panic(); }",
    "Leo kuna mvua, basi chai na kitabu 📖",
    "Slides for yesterday's talk: https://slides.example/2025/small-servers-that-last?lang=en",
    "Zażółć gęślą jaźń: my keyboard passes the test",
    "The 👩🏽‍🚀 emoji is seven code points. I counted so that you need not.",
    "नई किताब, पुरानी चाय 🍵",
    "Nobody: … My neighbour's dog at 6 am: 🎶",
]

TOPICS = [
    "sourdough",
    "night trains",
    "the old bridge",
    "Conway's Game of Life",
    "B&B signs",
    "tomatoes on a balcony",
    "a 1987 synthesizer",
    "bats",
    "the Faroe Islands",
    "fountain pens",
    "river swimming",
    "C++ templates",
    "my grandmother's recipes",
    "cargo bikes",
    "the smell of rain",
    "chess openings",
]

TITLES = [
    "What I learned this week about {}",
    "Ask me anything about {} 🙋",
    "Three reasons to love {}",
    "A small love letter to {} 💌",
    "Today: {}. Tomorrow: sleep.",
    "Nobody told me about {}!",
    "{}, revisited",
    "Ein Wort zu {}",
    "Photos of {}, part 2 📷",
    "Still thinking about {}…",
    "On {} and patience",
    "How {} ruined my weekend (in a good way)",
]
