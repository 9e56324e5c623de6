//! What people do in a run.

use domain::platform::Reconcile;
use jiff::SignedDuration;

use crate::dice::Dice;
use crate::money::Word;

/// A person's deed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Approves the post with this number.
    Approve(usize),
    /// Writes another text into it.
    Edit(usize),
    /// Writes yet another text into it, from the same page.
    EditAgain(usize),
    /// Calls it off.
    Cancel(usize),
    /// Tries it again, if it is over.
    Retry(usize),
    /// The person of this number takes their account away.
    Disconnect(usize),
    /// The person of this number connects their account again.
    Connect(usize),
    /// Looks for it at the platform and says what there is to see, if it is in doubt.
    Resolve(usize),
    /// Nobody's deed: a wake-up comes once more.
    Wake(usize),
    /// Nobody's deed: a wake-up of a later version comes, whether there is one or not.
    WakeLater(usize),
    /// Nobody's deed: something that is no wake-up comes.
    Poison,
    /// Nobody's deed: a wake-up of the post that cannot be read comes.
    WakeUnreadable,
    /// The payment provider's word on a person's subscription.
    Told {
        /// Whose.
        person: usize,
        /// On which of theirs: the first, or the one that they bought after it.
        subscription: usize,
        /// What.
        word: Word,
        /// How many seconds late it is sent.
        late_secs: u64,
    },
    /// The person of this number redeems the certificate that everybody holds.
    Redeem(usize),
    /// Nobody's deed: the cycle job comes once more.
    CloseCycles,
    /// Nobody's deed: posts' numbers are read.
    ReadNumbers,
    /// Nobody's deed: grants are looked after.
    RenewGrants,
}

/// What keeps a grant of the story's platform alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// A refresh token, which each renewal replaces.
    Refresh,
    /// The long-lived token itself, once it is old enough.
    Extend,
    /// Another consent, and nothing else.
    Consent,
}

/// A post that somebody writes.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// Whose.
    pub person: usize,
    /// Due so many seconds after the run began.
    pub due_secs: i64,
    /// How late it may go out, in seconds; as the product says, if 0.
    pub late_secs: i64,
    /// Says the same as the post before.
    pub same_text: bool,
}

/// One story.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// How the platform's lost answers are cleared up.
    pub reconcile: Reconcile,
    /// How long the platform takes to list a post.
    pub lag_secs: i64,
    /// How long before its time a post may be prepared, in seconds.
    pub lead_secs: i64,
    /// How long the platform is at work on what is prepared, in seconds.
    pub prepare_secs: i64,
    /// How long the platform knows a handle that is not published, in seconds; without an end, if 0.
    pub handle_secs: i64,
    /// How long the first access tokens live.
    pub token_secs: i64,
    /// What keeps a grant alive.
    pub keeping: Keeping,
    /// How long a grant lives that is not renewed, in seconds; without an end that is told, if 0.
    pub grant_secs: i64,
    /// The posts.
    pub posts: Vec<Written>,
    /// What is done, and how many seconds after the run began.
    pub deeds: Vec<(u64, Deed)>,
    /// How many people there are.
    pub people: usize,
    /// Whether a refresh token can be used once.
    pub rotates: bool,
    /// Whether the queue hands out in another order than it took in, each message alone and some of them later.
    pub disorder: bool,
    /// What is done where a function stands still for it.
    pub meanwhile: Option<Deed>,
    /// Whose the accounts are.
    pub accounts: Accounts,
    /// How many sends, from the first on, are lost on their way without anybody's fault.
    pub lost_sends: usize,
    /// How many seconds later they arrive all the same; never, if 0.
    pub arrive_secs: u64,
    /// What else stands in the tables.
    pub beside: Beside,
    /// How long each transaction takes, in milliseconds. If 0, those meet that come in one moment.
    pub transaction_millis: u64,
}

/// Whose the accounts of a story are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accounts {
    /// Each person has one.
    Own,
    /// All people have connected one and the same.
    Shared,
    /// All are one person's, who has one cycle for them.
    OneOwners,
}

/// What stands in the tables beside everybody's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// Nothing.
    Nothing,
    /// Rows that cannot be read: in each index, before theirs.
    BadRows,
}

/// The core stories in which posts take, keep, move and give back their places, and the one in which numbers are read.
const INTERRUPTED: [&str; 6] =
    ["due later", "edited when due", "in the next cycle", "cancelled and tried again", "sent when the cycle ends", "its numbers are read"];

/// How many seeds, one after another, give runs that begin alike: to begin is not what breaks.
pub(crate) const BEGIN_ALIKE: u64 = 8;

/// A key that stands for so long for the post that it made.
fn key(life_secs: i64) -> Reconcile {
    Reconcile::Key { life: SignedDuration::from_secs(life_secs) }
}

impl Scenario {
    fn new(name: &str, posts: &[(usize, i64)], deeds: &[(u64, Deed)]) -> Self {
        let posts: Vec<_> = posts.iter().map(|&(person, due_secs)| Written { person, due_secs, late_secs: 0, same_text: false }).collect();
        let people = posts.iter().map(|post| post.person + 1).max().unwrap_or(1);
        Self {
            name: name.to_owned(),
            reconcile: Reconcile::Search,
            lag_secs: 20,
            lead_secs: 0,
            prepare_secs: 0,
            handle_secs: 0,
            token_secs: 7_200,
            keeping: Keeping::Refresh,
            grant_secs: 0,
            posts,
            deeds: deeds.to_vec(),
            people,
            rotates: true,
            disorder: false,
            meanwhile: None,
            accounts: Accounts::Own,
            lost_sends: 0,
            arrive_secs: 0,
            beside: Beside::Nothing,
            transaction_millis: 0,
        }
    }

    /// The stories that every call of is broken in every way.
    pub fn core() -> Vec<Self> {
        Self::of_posts()
            .into_iter()
            .chain(Self::of_handles())
            .chain(Self::of_accounts())
            .chain(Self::of_grants())
            .chain(Self::of_money())
            .collect()
    }

    fn of_posts() -> Vec<Self> {
        use Deed::{Approve, Cancel, Disconnect, Edit, EditAgain, Poison, ReadNumbers, Resolve, Retry, Wake};
        let twins = |scenario: Self| {
            let posts = scenario.posts.iter().enumerate().map(|(n, post)| Written { same_text: n > 0, ..*post }).collect();
            Self { posts, ..scenario }
        };
        let hurried = |late_secs, scenario: Self| {
            let posts = scenario.posts.iter().map(|post| Written { late_secs, ..*post }).collect();
            Self { posts, ..scenario }
        };
        vec![
            Self::new("due now", &[(0, 0)], &[(1, Approve(0))]),
            Self::new("due later", &[(0, 180)], &[(1, Approve(0))]),
            Self::new("three wake-ups", &[(0, 60)], &[(1, Approve(0)), (60, Wake(0)), (60, Wake(0)), (61, Wake(0))]),
            Self {
                token_secs: 100,
                ..Self::new("tokens end, two posts at once", &[(0, 60), (0, 60)], &[(1, Approve(0)), (1, Approve(1))])
            },
            Self { token_secs: 400, ..Self::new("tokens end before it is due", &[(0, 300)], &[(1, Approve(0))]) },
            hurried(
                60,
                Self {
                    token_secs: 100,
                    ..Self::new("tokens end, and so does the time", &[(0, 60)], &[(1, Approve(0)), (60, Wake(0)), (70, Wake(0))])
                },
            ),
            Self::new("edited when due", &[(0, 180)], &[(1, Approve(0)), (178, EditAgain(0)), (179, Edit(0))]),
            Self::new("cancelled when due", &[(0, 60)], &[(1, Approve(0)), (60, Cancel(0))]),
            Self::new("disconnected when due", &[(0, 60)], &[(1, Approve(0)), (60, Disconnect(0))]),
            Self::new("in the next cycle", &[(0, 1_800)], &[(1, Approve(0))]),
            Self::new(
                "cancelled and tried again",
                &[(0, 60), (0, 61)],
                &[(1, Approve(0)), (1, Approve(1)), (2, Cancel(1)), (90, Retry(0))],
            ),
            Self::new("two of one tenant", &[(0, 5), (0, 300)], &[(1, Approve(0)), (1, Approve(1))]),
            Self {
                accounts: Accounts::OneOwners,
                ..Self::new("three accounts of one owner", &[(0, 5), (1, 5), (2, 5)], &[(1, Approve(0)), (2, Approve(1)), (3, Approve(2))])
            },
            Self::new("two tenants", &[(0, 5), (1, 5)], &[(1, Approve(0)), (1, Approve(1))]),
            twins(Self::new("twins", &[(0, 5), (0, 30)], &[(1, Approve(0)), (1, Approve(1))])),
            Self {
                accounts: Accounts::Shared,
                lost_sends: 1,
                lag_secs: 0,
                // The second is under way when the first is looked for.
                ..twins(Self::new("a shared account", &[(0, 5), (1, 95)], &[(1, Approve(0)), (1, Approve(1))]))
            },
            Self {
                accounts: Accounts::Shared,
                lost_sends: 1,
                // After the first search, and after the second has been sent.
                arrive_secs: 120,
                lag_secs: 0,
                ..twins(Self::new("a shared account, and late", &[(0, 5), (1, 95)], &[(1, Approve(0)), (1, Approve(1))]))
            },
            Self {
                disorder: true,
                ..Self::new(
                    "wake-ups in disorder",
                    &[(0, 30), (0, 31)],
                    &[(1, Approve(0)), (1, Approve(1)), (5, Edit(0)), (30, Wake(0)), (31, Wake(1)), (32, Poison)],
                )
            },
            Self {
                reconcile: Reconcile::Person,
                ..Self::new("looked at by a person", &[(0, 5)], &[(1, Approve(0)), (15_000, Resolve(0)), (15_010, Retry(0))])
            },
            Self { lag_secs: 400, ..Self::new("listed late", &[(0, 5)], &[(1, Approve(0))]) },
            Self { reconcile: key(3_600), ..Self::new("by key", &[(0, 5)], &[(1, Approve(0))]) },
            Self { reconcile: key(700), ..Self::new("by a key of some minutes", &[(0, 5)], &[(1, Approve(0))]) },
            // Forgotten before the first doubt could be cleared up by it.
            Self { reconcile: key(60), ..Self::new("by a key soon forgotten", &[(0, 5)], &[(1, Approve(0))]) },
            Self { reconcile: Reconcile::Handle, ..Self::new("by handle", &[(0, 5)], &[(1, Approve(0))]) },
            Self {
                reconcile: Reconcile::Handle,
                lag_secs: 400,
                token_secs: 150,
                ..Self::new("shown later", &[(0, 5)], &[(1, Approve(0))])
            },
            Self { reconcile: Reconcile::Person, ..Self::new("nothing to read", &[(0, 5)], &[(1, Approve(0))]) },
            // A lost answer is looked into when it is too late already.
            hurried(5, Self { reconcile: key(3_600), ..Self::new("by key, in a hurry", &[(0, 5)], &[(1, Approve(0))]) }),
            hurried(5, Self { reconcile: Reconcile::Handle, ..Self::new("by handle, in a hurry", &[(0, 5)], &[(1, Approve(0))]) }),
            Self {
                reconcile: Reconcile::Handle,
                lag_secs: 400,
                ..Self::new("disconnected before it shows", &[(0, 5)], &[(1, Approve(0)), (90, Disconnect(0))])
            },
            Self {
                token_secs: 150,
                ..Self::new(
                    "its numbers are read",
                    &[(0, 5)],
                    &[(1, Approve(0)), (3_700, ReadNumbers), (3_701, ReadNumbers), (21_700, ReadNumbers)],
                )
            },
        ]
    }

    /// Posts that their platform prepares ahead of their time.
    fn of_handles() -> Vec<Self> {
        use Deed::{Approve, Cancel, Edit};
        let ahead = |scenario: Self| Self { reconcile: Reconcile::Handle, lead_secs: 120, prepare_secs: 20, ..scenario };
        vec![
            ahead(Self::new("prepared ahead", &[(0, 185)], &[(1, Approve(0))])),
            // The platform is at work on it when its wake-up comes, and when its time has come.
            Self { prepare_secs: 100, ..ahead(Self::new("prepared too late", &[(0, 185)], &[(1, Approve(0))])) },
            ahead(Self::new("edited while it is prepared", &[(0, 185)], &[(1, Approve(0)), (125, Edit(0))])),
            ahead(Self::new("cancelled while it is prepared", &[(0, 185)], &[(1, Approve(0)), (125, Cancel(0))])),
            // It is not counted on any more when the time has come, and made anew.
            Self { lead_secs: 240, handle_secs: 400, ..ahead(Self::new("its handle is forgotten", &[(0, 300)], &[(1, Approve(0))])) },
        ]
    }

    fn of_accounts() -> Vec<Self> {
        use Deed::{Approve, CloseCycles, Connect, Disconnect, ReadNumbers, RenewGrants, WakeUnreadable};
        vec![
            Self::new("a reconnect", &[(0, 60), (0, 900)], &[(1, Approve(0)), (1, Approve(1)), (30, Disconnect(0)), (200, Connect(0))]),
            Self {
                beside: Beside::BadRows,
                ..Self::new(
                    "beside rows that cannot be read",
                    &[(0, 5), (0, 700)],
                    &[
                        (1, Approve(0)),
                        (2, Approve(1)),
                        (5, WakeUnreadable),
                        (30, Disconnect(0)),
                        (100, Connect(0)),
                        (1_300, CloseCycles),
                        (1_400, CloseCycles),
                        (3_700, ReadNumbers),
                        (3_800, ReadNumbers),
                        (3_900, RenewGrants),
                    ],
                )
            },
            Self::new("disconnected while sending", &[(0, 5)], &[(1, Approve(0)), (12, Disconnect(0))]),
        ]
    }

    /// Accounts that post nothing for longer than their grants live.
    fn of_grants() -> Vec<Self> {
        use Deed::{Approve, Connect, RenewGrants};
        let grant_secs = 7_200;
        vec![
            // Three at once, and then as often as a fifth of its life passes.
            Self {
                grant_secs,
                ..Self::new(
                    "a dormant account",
                    &[(0, 9_000)],
                    &[
                        (1, Approve(0)),
                        (1_900, RenewGrants),
                        (1_900, RenewGrants),
                        (1_900, RenewGrants),
                        (3_800, RenewGrants),
                        (5_700, RenewGrants),
                        (7_000, RenewGrants),
                    ],
                )
            },
            // Looked at before it may be renewed, and after.
            Self {
                keeping: Keeping::Extend,
                grant_secs,
                ..Self::new(
                    "a long-lived token",
                    &[(0, 9_000)],
                    &[
                        (1, Approve(0)),
                        (1_790, RenewGrants),
                        (2_200, RenewGrants),
                        (2_200, RenewGrants),
                        (3_800, RenewGrants),
                        (3_950, RenewGrants),
                        (4_500, RenewGrants),
                        (6_900, RenewGrants),
                    ],
                )
            },
            // Asked ahead of time; one post goes out before the end, the other waits for the owner.
            Self {
                keeping: Keeping::Consent,
                grant_secs,
                ..Self::new(
                    "only its owner can renew",
                    &[(0, 5_000), (0, 9_000)],
                    &[
                        (1, Approve(0)),
                        (2, Approve(1)),
                        (3_700, RenewGrants),
                        (3_700, RenewGrants),
                        (4_400, RenewGrants),
                        (7_300, RenewGrants),
                        (7_400, RenewGrants),
                        (8_000, Connect(0)),
                    ],
                )
            },
        ]
    }

    fn of_money() -> Vec<Self> {
        use Deed::{Approve, CloseCycles, Redeem};
        let on = |subscription, word, late_secs| Deed::Told { person: 0, subscription, word, late_secs };
        let told = |word, late_secs| on(0, word, late_secs);
        vec![
            Self::new("sent when the cycle ends", &[(0, 1_199)], &[(1, Approve(0)), (1_200, CloseCycles), (1_201, CloseCycles)]),
            Self::new(
                "a plan grows and shrinks",
                &[(0, 60)],
                &[(1, Approve(0)), (50, told(Word::Begins, 20)), (55, told(Word::Grows, 6)), (60, told(Word::Shrinks, 0))],
            ),
            Self::new(
                "a plan ends before its next cycle",
                &[(0, 1_800)],
                &[(1, Approve(0)), (30, told(Word::Begins, 0)), (60, told(Word::Ends, 0))],
            ),
            Self::new(
                "held and back",
                &[(0, 1_800)],
                &[(1, Approve(0)), (30, told(Word::Begins, 0)), (60, told(Word::Ends, 0)), (200, on(1, Word::Begins, 0))],
            ),
            // That it ever ran is heard when the one that replaced it has ended too.
            Self::new(
                "a replaced subscription is heard of late",
                &[(0, 60)],
                &[
                    (1, Approve(0)),
                    (20, on(0, Word::Begins, 120)),
                    (40, on(0, Word::Ends, 0)),
                    (50, on(1, Word::Begins, 0)),
                    (70, on(1, Word::Ends, 0)),
                ],
            ),
            Self::new("one certificate for two", &[(0, 3), (1, 60)], &[(1, Approve(0)), (2, Approve(1)), (3, Redeem(0)), (3, Redeem(1))]),
        ]
    }

    /// Stories in which plans, certificates, cycles and numbers change while any function is at any of its calls.
    pub fn interrupted() -> Vec<Self> {
        let told = |word| Deed::Told { person: 0, subscription: 0, word, late_secs: 0 };
        let others = [Deed::Redeem(0), Deed::CloseCycles, Deed::ReadNumbers];
        let deeds = || Word::ALL.into_iter().map(told).chain(others);
        let subscribed = |name: &str| {
            let mut story = Self::core().into_iter().find(|story| story.name == name).expect("a core story");
            // As of the start, the smaller plan is paid for as well as given.
            story.deeds.insert(0, (0, told(Word::Begins)));
            story
        };
        let of = |story: Self| {
            let said = |deed| match deed {
                Deed::Told { word, .. } => format!("{word:?}"),
                other => format!("{other:?}"),
            };
            deeds().map(move |deed| Self {
                name: format!("{}, meanwhile {}", story.name, said(deed)),
                meanwhile: Some(deed),
                ..story.clone()
            })
        };
        INTERRUPTED.into_iter().map(subscribed).flat_map(of).collect()
    }

    /// Whether it is one post on a platform of one of the four classes, with time enough or with hardly any, and nothing else.
    pub fn is_of_a_class(&self) -> bool {
        ["due now", "by key", "by key, in a hurry", "by handle", "by handle, in a hurry", "nothing to read"].contains(&self.name.as_str())
    }

    /// A person's account.
    pub(crate) fn account(&self, person: usize) -> String {
        format!("account{}", if self.accounts == Accounts::Shared { 0 } else { person })
    }

    /// Whether plans change or certificates are redeemed.
    pub(crate) fn deals_with_money(&self) -> bool {
        self.all_deeds().any(|deed| matches!(deed, Deed::Told { .. } | Deed::Redeem(_) | Deed::CloseCycles))
    }

    /// Whether posts' numbers are read.
    pub(crate) fn reads_numbers(&self) -> bool {
        self.all_deeds().any(|deed| deed == Deed::ReadNumbers)
    }

    /// All that is done, whenever.
    pub(crate) fn all_deeds(&self) -> impl Iterator<Item = Deed> {
        self.deeds.iter().map(|(_, deed)| *deed).chain(self.meanwhile)
    }

    /// Plans that change, a certificate, and a cycle job that comes more often.
    fn money_by_chance(dice: &mut Dice, people: usize, deeds: &mut Vec<(u64, Deed)>) {
        for person in 0..people {
            if dice.chance(300) {
                for _ in 0..=dice.below(4) {
                    let word = *dice.pick(&[Word::Begins, Word::Grows, Word::Shrinks, Word::Overdue, Word::Ends]);
                    let subscription = usize::from(dice.chance(300));
                    let late_secs = dice.below(2) * dice.below(200);
                    deeds.push((dice.below(1_400), Deed::Told { person, subscription, word, late_secs }));
                }
            }
            if dice.chance(150) {
                deeds.push((dice.below(1_400), Deed::Redeem(person)));
            }
        }
        if dice.chance(200) {
            deeds.push((1_195 + dice.below(60), Deed::CloseCycles));
        }
        if dice.chance(100) {
            let first = 3_600 + dice.below(2_000);
            deeds.extend([(first, Deed::ReadNumbers), (first + dice.below(60), Deed::ReadNumbers)]);
        }
    }

    /// A story by chance. Some seeds in a row begin alike.
    pub fn random(seed: u64) -> Self {
        let (people, posts, token_secs, beside) = Self::beginning(&mut Dice::new(seed / BEGIN_ALIKE, 5));
        let dice = &mut Dice::new(seed, 2);
        let mut deeds = Self::deeds_by_chance(dice, people, &posts);
        Self::money_by_chance(dice, people, &mut deeds);
        deeds.sort_by_key(|(at, _)| *at);
        let classes: [fn(i64) -> Reconcile; 5] =
            [|_| Reconcile::Search, |_| Reconcile::Search, |_| Reconcile::Person, key, |_| Reconcile::Handle];
        let class = *dice.pick(&classes);
        let lag_secs = *dice.pick(&[0, 20, 30, 400]);
        let reconcile = class(*dice.pick(&[60, 1_200, 3_600]));
        let (rotates, disorder) = (dice.chance(700), dice.chance(300));
        if beside == Beside::BadRows && dice.chance(500) {
            deeds.push((dice.below(300), Deed::WakeUnreadable));
        }
        let dice = &mut Dice::new(seed, 7);
        let transaction_millis = dice.below(2) * dice.below(20);
        let grant_secs = if rotates { Self::grants_by_chance(seed, &mut deeds) } else { 0 };
        let lead_secs = *Dice::new(seed / BEGIN_ALIKE, 11).pick(&[0, 120, 900]);
        let dice = &mut Dice::new(seed, 11);
        let (prepare_secs, handle_secs) = (*dice.pick(&[0, 5, 70, 400]), *dice.pick(&[0, 0, 0, 700]));
        Self {
            name: "by chance".to_owned(),
            reconcile,
            lag_secs,
            lead_secs: if reconcile == Reconcile::Handle { lead_secs } else { 0 },
            prepare_secs,
            handle_secs,
            token_secs,
            keeping: Keeping::Refresh,
            grant_secs,
            posts,
            deeds,
            people,
            rotates,
            disorder,
            meanwhile: None,
            accounts: Accounts::Own,
            lost_sends: 0,
            arrive_secs: 0,
            beside,
            transaction_millis,
        }
    }

    /// In some, grants end after five hours unless they are renewed: a fifth of it passes while calls still break. Some seeds in a row begin
    /// alike.
    fn grants_by_chance(seed: u64, deeds: &mut Vec<(u64, Deed)>) -> i64 {
        if !Dice::new(seed / BEGIN_ALIKE, 9).chance(100) {
            return 0;
        }
        let dice = &mut Dice::new(seed, 9);
        let early = 3_600 + dice.below(900);
        deeds.extend([early, early + dice.below(60), 5_500, 9_000, 13_000, 17_000].map(|at| (at, Deed::RenewGrants)));
        18_000
    }

    /// How many people there are, what they have written, how long their first access tokens live, and whether rows beside theirs cannot be
    /// read.
    fn beginning(dice: &mut Dice) -> (usize, Vec<Written>, i64, Beside) {
        let people = 1 + usize::from(dice.chance(300));
        // Most of what can go wrong goes wrong with one post, and costs less there.
        let count = *dice.pick(&[1, 1, 1, 1, 1, 2, 2, 3]);
        let posts: Vec<_> = (0..count)
            .map(|n| Written {
                person: usize::try_from(dice.below(people as u64)).unwrap_or_default(),
                due_secs: *dice.pick(&[0, 5, 60, 60, 180, 300, 1_190, 1_800]),
                late_secs: *dice.pick(&[0, 0, 0, 60, 300]),
                same_text: n > 0 && dice.chance(150),
            })
            .collect();
        let token_secs = *dice.pick(&[100, 150, 300, 7_200]);
        (people, posts, token_secs, if dice.chance(60) { Beside::BadRows } else { Beside::Nothing })
    }

    /// What is done with the posts and the accounts.
    fn deeds_by_chance(dice: &mut Dice, people: usize, posts: &[Written]) -> Vec<(u64, Deed)> {
        let mut deeds = Vec::new();
        for (n, post) in posts.iter().enumerate() {
            deeds.push((1 + dice.below(30), Deed::Approve(n)));
            let near = u64::try_from(post.due_secs).unwrap_or_default();
            let around = |dice: &mut Dice| (near + dice.below(8)).saturating_sub(4) + dice.below(2) * dice.below(120);
            for (deed, per_mille) in [
                (Deed::Edit(n), 200),
                (Deed::EditAgain(n), 100),
                (Deed::Cancel(n), 150),
                (Deed::Wake(n), 400),
                (Deed::Wake(n), 200),
                (Deed::WakeLater(n), 200),
                (Deed::Retry(n), 150),
            ] {
                if dice.chance(per_mille) {
                    let at = around(dice);
                    deeds.push((at, deed));
                }
            }
            if dice.chance(300) {
                let at = near + 200 + dice.below(14_000);
                deeds.extend([(at, Deed::Resolve(n)), (at + dice.below(60), Deed::Retry(n))]);
            }
        }
        for person in 0..people {
            if dice.chance(150) {
                let at = dice.below(400);
                deeds.push((at, Deed::Disconnect(person)));
                if dice.chance(500) {
                    deeds.push((at + 60 + dice.below(600), Deed::Connect(person)));
                }
            }
        }
        if dice.chance(100) {
            deeds.push((dice.below(300), Deed::Poison));
        }
        deeds
    }
}
