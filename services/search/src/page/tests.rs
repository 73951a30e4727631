//! Pages against a sorted set of postings.

use super::*;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

type Postings = BTreeSet<(Vec<u8>, u64)>;

/// First index of the runs here.
const FIRST: u64 = 1 << 33;
const END: u64 = FIRST + 5000;

/// Terms that are prefixes of each other, have zeros and `ff`, or are as long as a term can be.
fn term() -> impl Strategy<Value = Vec<u8>> {
    let short = vec(prop_oneof![Just(0_u8), Just(1), Just(0xfe), Just(0xff)], 1..4);
    let url = (0..40_u8).prop_map(|number| format!("\u{3}https://git.example.org/group/project/{number}").into_bytes());
    let long = (any::<u8>(), 400..=MAX_TERM_BYTES).prop_map(|(byte, length)| vec![byte; length]);
    prop_oneof![4 => short, 4 => url, 1 => long]
}

fn postings() -> impl Strategy<Value = Postings> {
    let few = btree_set((term(), FIRST..END), 0..400);
    let many = (term(), btree_set(FIRST..END, 0..3000))
        .prop_map(|(term, indices)| indices.into_iter().map(|index| (term.clone(), index)).collect::<Postings>());
    (few, many).prop_map(|(mut few, many)| {
        few.extend(many);
        few
    })
}

fn written(postings: &Postings) -> Vec<Page> {
    let mut writer = Writer::new(FIRST);
    for (term, index) in postings {
        writer.push(term, *index);
    }
    writer.finish()
}

fn read(pages: &[Page]) -> Vec<(Vec<u8>, u64)> {
    let mut read = Vec::new();
    for page in pages {
        let mut reader = Reader::open(&page.bytes, FIRST, END).unwrap();
        while let Some(list) = reader.next_list().unwrap() {
            read.extend(list.postings.into_iter().map(|index| (reader.term().to_vec(), index)));
        }
    }
    read
}

/// The page in which the posting is, if it is anywhere.
fn page_for<'a>(pages: &'a [Page], term: &[u8], index: u64) -> Option<&'a Page> {
    let wanted = key(term, index);
    pages.iter().rev().find(|page| page.key <= wanted)
}

proptest! {
    #[test]
    fn what_is_written_is_read_in_order(postings in postings()) {
        let pages = written(&postings);
        prop_assert_eq!(read(&pages), postings.into_iter().collect::<Vec<_>>());
        prop_assert!(pages.is_sorted_by(|one, other| one.key < other.key));
        for page in &pages {
            prop_assert!(page.key.len() + page.bytes.len() <= PAGE_BYTES);
            prop_assert_eq!(&key_of(&page.bytes, FIRST, END).unwrap(), &page.key);
        }
    }

    #[test]
    fn a_posting_is_in_the_last_page_whose_key_is_not_above_it(postings in postings(), other in term(), index in FIRST..END) {
        let pages = written(&postings);
        for (term, index) in &postings {
            let page = page_for(&pages, term, *index).unwrap();
            let list = Reader::open(&page.bytes, FIRST, END).unwrap().find(term).unwrap().unwrap();
            prop_assert!(list.postings.contains(index));
        }
        let found = page_for(&pages, &other, index).map(|page| Reader::open(&page.bytes, FIRST, END).unwrap().find(&other));
        let found = found.is_some_and(|list| list.unwrap().is_some_and(|list| list.postings.contains(&index)));
        prop_assert_eq!(found, postings.contains(&(other, index)));
    }

    #[test]
    fn of_several_terms_those_of_the_page_are_found(postings in postings(), others in btree_set(term(), 0..20), every in 1..5_usize) {
        let own: BTreeSet<Vec<u8>> = postings.iter().map(|(term, _)| term.clone()).step_by(every).collect();
        let terms: BTreeSet<&[u8]> = own.iter().chain(&others).map(Vec::as_slice).collect();
        let terms: Vec<&[u8]> = terms.into_iter().collect();
        for page in written(&postings) {
            let mut expected = Vec::new();
            let mut reader = Reader::open(&page.bytes, FIRST, END).unwrap();
            while let Some(list) = reader.next_list().unwrap() {
                if terms.contains(&reader.term()) {
                    expected.push((reader.term().to_vec(), list));
                }
            }
            let (mut found, mut wanted) = (Vec::new(), terms.as_slice());
            let mut reader = Reader::open(&page.bytes, FIRST, END).unwrap();
            while let Some((term, list)) = reader.find_any(&mut wanted).unwrap() {
                found.push((term.to_vec(), list));
            }
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_list_that_is_cut_says_so_on_both_sides(postings in postings()) {
        let pages = written(&postings);
        let mut counted = BTreeMap::new();
        let mut goes_on = None;
        for page in &pages {
            let mut reader = Reader::open(&page.bytes, FIRST, END).unwrap();
            while let Some(list) = reader.next_list().unwrap() {
                prop_assert_eq!(list.continued, goes_on.is_some());
                prop_assert!(goes_on.is_none_or(|term: Vec<u8>| term == reader.term()));
                *counted.entry(reader.term().to_vec()).or_insert(0) += list.postings.len();
                goes_on = list.continues.then(|| reader.term().to_vec());
            }
        }
        prop_assert_eq!(goes_on, None);
        for (term, count) in counted {
            prop_assert_eq!(postings.iter().filter(|(other, _)| *other == term).count(), count);
        }
    }

    #[test]
    fn a_writer_that_goes_on_after_any_page_makes_the_same_pages(postings in postings()) {
        let pages = written(&postings);
        for kept in 1..pages.len() {
            let before = read(&pages[..kept]);
            let mut writer = Writer::after(FIRST, &before.last().unwrap().0);
            for (term, index) in postings.iter().skip(before.len()) {
                writer.push(term, *index);
            }
            prop_assert_eq!(writer.finish(), &pages[kept..]);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(mut page in vec(any::<u8>(), 0..200), postings in postings(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let read_all = |page: &[u8]| {
            let Ok(mut reader) = Reader::open(page, FIRST, END) else { return };
            while let Ok(Some(list)) = reader.next_list() {
                assert!(!list.postings.is_empty() && list.postings.is_sorted_by(|one, other| one < other));
                assert!(list.postings.iter().all(|index| (FIRST..END).contains(index)));
            }
        };
        read_all(&page);
        if let Some(good) = written(&postings).first() {
            page = good.bytes.clone();
            let place = place.index(page.len());
            page[place] = byte;
            read_all(&page);
        }
    }

    #[test]
    fn numbers_come_back(number in any::<u64>()) {
        let mut bytes = Vec::new();
        put_number(&mut bytes, number);
        prop_assert_eq!(bytes.len(), number_bytes(number));
        let mut rest = bytes.as_slice();
        prop_assert_eq!(take_number(&mut rest), Ok(number));
        prop_assert!(rest.is_empty());
    }
}

#[test]
fn keys_are_ordered_as_postings_are() {
    let terms: [&[u8]; 8] = [&[1], &[1, 0], &[1, 0, 0], &[1, 0, 1], &[1, 0, 0xff], &[1, 1], &[1, 0xff], &[2]];
    let indices = [0, 1, 255, 256, u64::MAX];
    let keys: Vec<_> = terms.iter().flat_map(|term| indices.map(|index| key(term, index))).collect();
    assert!(keys.is_sorted_by(|one, other| one < other));
}

#[test]
fn a_page_that_says_too_much_is_refused() {
    for page in [
        &[][..],
        &[2, 0, 1, b'a', 2, 0],
        &[0],
        // No posting; a posting of the next run; one that is not after the one before.
        &[0, 0, 1, b'a', 0],
        &[0, 0, 1, b'a', 2, 0x88, 0x27],
        &[0, 0, 1, b'a', 4, 1, 0],
        // The second term is the first one again, and before it.
        &[0, 0, 1, b'a', 2, 0, 1, 0, 2, 0],
        &[0, 0, 1, b'b', 2, 0, 0, 1, b'a', 2, 0],
        // More shared than there is; a number that does not end; one that is too large.
        &[0, 1, 1, b'a', 2, 0],
        &[0, 0, 1, b'a', 2, 0x80],
        &[0, 0, 1, b'a', 2, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02],
    ] {
        let read = || -> Result<(), Corrupt> {
            let mut reader = Reader::open(page, FIRST, END)?;
            while reader.next_list()?.is_some() {}
            Ok(())
        };
        assert!(read().is_err(), "{page:02x?}");
    }
}
