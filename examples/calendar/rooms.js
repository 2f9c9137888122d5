import { json } from 'barista';

/*
 * The calendar of meeting rooms, as in "Managing Update Conflicts in Bayou" (Terry et al., SOSP 1995, section 2): under the key of a
 * room are its meetings, and who wants one says which times will do, the best first. Where the best is taken by then the
 * next is tried; what fits nowhere is kept in a list of its own, for somebody to see to.
 */

const isMeeting = (it) => typeof it?.title === 'string' && Number.isInteger(it?.from) && Number.isInteger(it?.to);
const overlap = (a, b) => a.from < b.to && b.from < a.to;

/** A room: its meetings by when they begin, and what found no place. Minutes since 1970. */
export const room = json(
  (value) => Array.isArray(value?.meetings) && value.meetings.every(isMeeting) && Array.isArray(value.unplaced),
);

/** What is asked for: a title, and times in the order of preference. */
export const wish = json((value) => typeof value?.title === 'string' && Array.isArray(value.times));

/** A room and a wish are both under the procedure's hands. */
const either = json();

export const book = {
  name: 'book-room',
  version: 1,
  codec: either,
  merge({ value, current = { meetings: [], unplaced: [] }, spend }) {
    const { title, times } = value;
    spend(times.length * current.meetings.length);
    const time = times.find((time) => !current.meetings.some((meeting) => overlap(meeting, time)));
    if (time === undefined) return { ...current, unplaced: [...current.unplaced, title] };
    const meetings = [...current.meetings, { title, ...time }].sort((a, b) => a.from - b.from);
    return { ...current, meetings };
  },
  samples: [
    {
      title: 'budget',
      times: [
        { from: 540, to: 600 },
        { from: 600, to: 660 },
      ],
    },
    { title: 'design', times: [{ from: 570, to: 630 }] },
    {
      title: 'tea',
      times: [
        { from: 600, to: 615 },
        { from: 615, to: 630 },
      ],
    },
  ],
};

export default book;
