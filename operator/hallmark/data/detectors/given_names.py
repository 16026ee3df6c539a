"""Given names that are frequent in several countries: they tell persons from products.

A sample, not a register: it decides on columns of many texts, never on one text.
"""

from hallmark.data.detectors.column import vocabulary

GIVEN_NAMES = vocabulary(
    """
    aaron abdul abdullah adam adrian agnes ahmed aisha akira alan albert alberto alejandro
    aleksander alessandro alessandra alex alexander alexandra alexandre alexis ali alice alicia
    alison amanda amelia amir amit amy ana anastasia anders andre andrea andreas andrei andrew
    andrzej angela angelo anil anita anja anjali ann anna anne annette annie anthony antje anton
    antonia antonio anne-marie aoife arjun arthur arturo asha ashley astrid aurelie barbara
    beate beatriz ben benedikt benjamin bernard bernd betty bianca bill birgit bob bogdan
    brandon brenda brian brigitte bruce bruno camille carl carla carlo carlos carmen carol
    carolina caroline catarina catherine cecilia celine chantal charles charlotte chen chloe
    chris christian christina christine christoph christopher claire clara claudia claudio
    clemens cristina dagmar daniel daniela danielle david deborah denis dennis diana diane diego
    dieter dmitri dmitry dominik donald donna dora dorothy douglas eduardo edward ekaterina
    elena eleanor eli elias elisabeth elizabeth ella elke ellen emil emilia emily emma enrique
    erik erika eric esther eva evelyn fabian fatima federico felix fernanda fernando fiona
    florian frances francesca francesco francisco franz franziska fred frederic frederik
    friedrich gabriel gabriela gabriele gary george georg georges gerald gerhard gianluca
    giovanni giulia giuseppe gloria gonzalo grace greta gudrun guido guillaume gunther gustavo
    hannah hannes hans harald harry hassan heather heidi heike heinrich heinz helen helena
    helene helga helmut henri henrik henry hiroshi horst hugo ian ibrahim ida igor ines inga
    inge ingrid irina isabel isabella isabelle ivan jack jacek jacob jacqueline jacques jaime
    jakob james jan jana jane janet janina jason javier jean jeffrey jennifer jens jessica jesus
    joan joanna joao joe johan johanna johannes john jonas jonathan jorge jose josef joseph
    joshua juan judith julia julian juliette julie jurgen justin kai karen karin karl karolina
    kate katharina katherine kathleen katja katrin kazuo keith kelly ken kenneth kenji kerstin
    kevin khalid kim klaus konstantin krzysztof kurt lars laura lauren laurent lea lena leo leon
    leonardo leonie liam lilian linda lisa logan lorenzo louis louise luca lucas lucia lucy
    luigi luis luisa lukas maciej magdalena malgorzata manfred manuel manuela marc marcel marcin
    marco marcos margaret margarita maria marie marina mario marion mark marko markus marta
    martin martina mary masao mateusz mathieu matteo matthew matthias maurice max maximilian
    megan mehmet mei melanie melissa mia michael michal michel michele michelle miguel mikael
    mila milan mohamed mohammad mohammed monica monika muhammad mustafa nadia nancy natalia
    natalie nathan neha nicholas nicola nicolas nicole niklas nikolai nina noah nora norbert
    oleg olga oliver olivia olivier omar oscar oskar otto pablo pamela paola paolo pascal
    patricia patrick paul paula pavel pedro peter petra philip philipp philippe pierre piotr
    priya rachel rafael rahul rainer raj rajesh ralf ramon raquel raul rebecca regina renate
    ricardo richard rita robert roberto robin roger roland rolf roman ronald rosa rosemary roy
    ruben rudolf ruth ryan sabine sabrina salvatore samantha samuel sandra sanjay sara sarah
    scott sean sebastian sergei sergio sharon shreya sigrid silvia simon simone sofia sonia
    sonja sophia sophie stefan stefania stefanie steffen stephanie stephen steven sunita susan
    susanne sven svetlana sylvia takashi tamara tanja tatiana teresa theo theodor theresa
    thierry thomas thorsten tim timothy tobias tom tomas tomasz torsten tyler ulrich ulrike
    ursula uwe valentina valerie vanessa vera veronica victor victoria vijay viktor vincent
    virginia vladimir walter wang waltraud wei werner wilhelm william wolfgang xavier yan yasmin
    yolanda yuki yusuf yves zahra zhang zoe zofia
    """
)
