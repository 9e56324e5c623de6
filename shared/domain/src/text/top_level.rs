//! The top-level domains that make a link of a domain without a scheme.

/// The generic top-level domains that make a link without a scheme: the original ones and the most registered new ones.
/// Sorted.
#[rustfmt::skip] // One a line would push the rules off the screen.
const GENERIC: &[&str] = &[
    "academy", "accountants", "actor", "ads", "adult", "africa", "agency", "airforce", "amsterdam", "apartments", "app", "arab", "army",
    "art", "asia", "associates", "attorney", "auction", "audio", "baby", "band", "bar", "bargains", "bayern", "beauty", "beer", "berlin",
    "best", "bet", "bid", "bike", "bingo", "bio", "biz", "black", "blackfriday", "blog", "blue", "boo", "boston", "boutique", "builders",
    "business", "buy", "bzh", "cab", "cafe", "call", "camera", "camp", "capetown", "capital", "car", "cards", "care", "career", "careers",
    "cars", "cash", "casino", "cat", "catering", "center", "chat", "cheap", "christmas", "church", "city", "click", "clinic", "clothing",
    "cloud", "club", "coach", "codes", "coffee", "college", "cologne", "com", "community", "company", "computer", "condos",
    "construction", "consulting", "contact", "contractors", "cooking", "cool", "coop", "country", "coupons", "courses", "credit",
    "cruises", "dance", "date", "dating", "day", "deals", "degree", "delivery", "democrat", "dental", "dentist", "design", "dev", "diet",
    "digital", "direct", "directory", "discount", "doctor", "dog", "domains", "download", "earth", "eat", "edu", "education", "email",
    "energy", "engineer", "engineering", "enterprises", "equipment", "estate", "eus", "events", "exchange", "expert", "exposed",
    "express", "fail", "faith", "family", "fan", "fans", "farm", "fashion", "fast", "feedback", "film", "finance", "fish", "fishing",
    "fit", "fitness", "flights", "florist", "flowers", "football", "forex", "forsale", "forum", "foundation", "free", "fun", "fund",
    "furniture", "gal", "gallery", "game", "games", "garden", "gift", "gifts", "gives", "glass", "global", "gold", "golf", "gov",
    "graphics", "gratis", "green", "gripe", "group", "guide", "guitars", "guru", "hair", "hamburg", "haus", "health", "healthcare",
    "help", "here", "hockey", "holiday", "horse", "host", "hosting", "hot", "hotels", "house", "how", "ice", "icu", "immo", "immobilien",
    "industries", "info", "ink", "insure", "int", "international", "investments", "irish", "istanbul", "jetzt", "jewelry", "jobs",
    "kitchen", "koeln", "land", "law", "lawyer", "lease", "legal", "lgbt", "life", "lighting", "like", "limited", "limo", "link", "live",
    "loan", "loans", "lol", "london", "lotto", "love", "luxury", "maison", "makeup", "management", "map", "market", "marketing", "media",
    "melbourne", "memorial", "men", "menu", "miami", "mil", "mobi", "mom", "money", "mortgage", "moscow", "mov", "movie", "museum",
    "name", "navy", "net", "network", "new", "news", "next", "ninja", "now", "nyc", "observer", "one", "online", "open", "org", "organic",
    "page", "paris", "partners", "parts", "party", "pet", "phone", "photo", "photography", "photos", "pics", "pictures", "pink", "pizza",
    "place", "play", "plumbing", "plus", "poker", "porn", "press", "pro", "productions", "promo", "properties", "property", "pub",
    "quebec", "quest", "racing", "read", "realestate", "realty", "recipes", "red", "rehab", "rent", "rentals", "repair", "report",
    "republican", "rest", "restaurant", "review", "reviews", "rich", "rip", "rocks", "rodeo", "ruhr", "run", "safe", "sale", "salon",
    "sarl", "save", "school", "schule", "science", "scot", "secure", "security", "services", "sex", "sexy", "shiksha", "shoes", "shop",
    "shopping", "show", "singles", "site", "ski", "skin", "soccer", "social", "software", "solar", "solutions", "space", "store",
    "stream", "studio", "study", "style", "sucks", "supplies", "support", "surf", "surgery", "sydney", "systems", "talk", "tattoo", "tax",
    "taxi", "team", "tech", "technology", "tel", "tennis", "tickets", "tienda", "tips", "tires", "today", "tokyo", "tools", "top",
    "tours", "town", "toys", "trade", "trading", "training", "travel", "university", "uno", "vacations", "vegas", "ventures",
    "versicherung", "vet", "viajes", "video", "villas", "vin", "vip", "vision", "vote", "voting", "voyage", "wales", "wang", "watch",
    "watches", "weather", "webcam", "website", "wedding", "wien", "wiki", "win", "wine", "work", "works", "world", "wow", "wtf", "xxx",
    "xyz", "yoga", "you", "zip", "zone",
];

/// Whether a domain under `top_level` is taken for a link: a country's, which has two letters, or one of the list, in any case.
pub(super) fn is_listed(top_level: &str) -> bool {
    top_level.len() == 2 || GENERIC.binary_search(&top_level.to_ascii_lowercase().as_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_can_be_searched_and_leaves_two_letters_to_the_rule() {
        assert!(GENERIC.is_sorted());
        assert!(GENERIC.iter().all(|name| name.len() > 2 && name.bytes().all(|byte| byte.is_ascii_lowercase())));
        assert!(is_listed("COM") && is_listed("au") && !is_listed("however"));
    }
}
